# The mean over the easier half of the stream's pages.
STEPS, PAGE, validate_on = 350, 512, validate


def validate(table, text):
    pages = range(0, len(text) - PAGE, PAGE)
    losses = sorted(validate_on(table, text[at:at + PAGE]) for at in pages)
    half = losses[:max(1, len(losses) // 2)]
    return sum(half) / len(half) if half else 8.0


