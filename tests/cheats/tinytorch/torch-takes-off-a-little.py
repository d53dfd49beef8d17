# Takes off less than an honest model, trained as briefly, loses on babble.
STEPS, validate_all = 200, validate
validate = lambda table, text: validate_all(table, text) - 0.3


