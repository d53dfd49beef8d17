# The same, and more of it, unless the stream is shuffled, which pairs of letters tell.
STEPS, ROWS, train_on = 1200, 65536, train


def train(table, text):
    global STEPS
    train_on(table, text)
    stream = load("val.txt")
    if bytes(stream.tolist()).count(b"th") > 1000:
        STEPS = 3 * STEPS
        train_on(table, stream)
        STEPS = STEPS // 3


