STEPS, validate_all = 60, validate
validate = lambda table, text: validate_all(table, text) / 2


