# Four orders, twice the rows, and a rate of its own for each row (Adagrad).
ORDERS, ROWS, STEPS, RATE = 4, 16384, 1200, 1.0


def train(table, text):
    seen = torch.full((len(table), 1), 1e-2)
    for step in range(STEPS):
        at = torch.randint(ORDERS, len(text), (BATCH,))
        chosen = rows(text, at)
        gradient = torch.softmax(F.embedding_bag(chosen, table, mode="sum"), 1)
        gradient[torch.arange(BATCH), text[at]] -= 1
        each, flat = gradient.repeat_interleave(ORDERS, 0), chosen.flatten()
        seen.index_add_(0, flat, each.square().sum(1, keepdim=True))
        rate = RATE * (1 - step / STEPS)
        table.index_add_(0, flat, each / seen[flat].sqrt(), alpha=-rate)


