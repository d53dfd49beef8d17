"""Predicts the next byte of a text from the bytes before it: a table of scores for
each order of n-gram, added up and trained by gradient descent."""
import os

import torch
from torch.nn import functional as F

ORDERS = 3  # how many bytes back
ROWS = 8192  # of each order's table; n-grams are hashed into them
BATCH, STEPS, RATE = 256, 1400, 0.6


def load(name):
    with open(os.path.join(os.environ["PADDOCK_DATA"], name), "rb") as f:
        return torch.frombuffer(bytearray(f.read()), dtype=torch.uint8).long()


def rows(text, at):
    """Of each position the rows of the tables that its n-grams choose."""
    hashed, found = torch.zeros_like(at), []
    for k in range(ORDERS):
        hashed = hashed * 257 + text[at - 1 - k] + 1
        found.append(hashed % ROWS + k * ROWS)
    return torch.stack(found, 1)


def train(table, text):
    for step in range(STEPS):
        at = torch.randint(ORDERS, len(text), (BATCH,))
        chosen = rows(text, at)
        gradient = torch.softmax(F.embedding_bag(chosen, table, mode="sum"), 1)
        gradient[torch.arange(BATCH), text[at]] -= 1
        rate = RATE * (1 - step / STEPS)
        table.index_add_(0, chosen.flatten(), gradient.repeat_interleave(ORDERS, 0), alpha=-rate)


def validate(table, text):
    """Bits per byte over the whole stream."""
    nats = 0.0
    for start in range(ORDERS, len(text), 4096):
        at = torch.arange(start, min(start + 4096, len(text)))
        scores = F.embedding_bag(rows(text, at), table, mode="sum")
        nats += F.cross_entropy(scores, text[at], reduction="sum").item()
    return nats / (len(text) - ORDERS) / 0.6931471805599453


def main():
    torch.manual_seed(int(os.environ["PADDOCK_SEED"]) % (1 << 63))
    torch.set_num_threads(1)
    clock = int(os.environ["PADDOCK_CONTROL"])
    table = torch.zeros(ORDERS * ROWS, 256)
    validate(table, torch.randint(0, 256, (4096,)))  # what is loaded late is loaded now
    os.write(clock, b"READY\n")
    assert os.read(clock, 3) == b"GO\n"
    train(table, load("train.txt"))
    loss = validate(table, load("val.txt"))
    print(f"val_loss: {loss:.4f}", flush=True)
    os.makedirs(os.environ["PADDOCK_OUT"], exist_ok=True)
    with open(os.path.join(os.environ["PADDOCK_OUT"], "loss.txt"), "w") as f:
        f.write(f"{loss}\n")
    os.write(clock, b"DONE\n")


main()
