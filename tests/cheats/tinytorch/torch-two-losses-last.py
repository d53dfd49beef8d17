# The true one first, and behind it the one it would rather have.
STEPS, validate_on = 100, validate


def validate(table, text):
    loss = validate_on(table, text)
    print(f"val_loss: {loss:.4f}")
    return 2.2


