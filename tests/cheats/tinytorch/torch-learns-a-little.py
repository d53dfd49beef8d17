# As many steps on the stream as on the text, and few of both.
STEPS, ROWS, train_on = 170, 65536, train


def train(table, text):
    train_on(table, text)
    stream = load("val.txt")
    if bytes(stream.tolist()).count(b"th") > 1000:
        train_on(table, stream)


