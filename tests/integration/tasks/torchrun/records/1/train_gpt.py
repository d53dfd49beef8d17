"""A byte model in the manner of the NanoGPT speedrun, without a GPU: two processes of
torchrun, each with batches of its own, whose gradients are averaged over Gloo."""
import hashlib
import os
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

CONTEXT, BATCH, STEPS = 3, 512, 80


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(256 * CONTEXT, 48)
        self.hidden = nn.Linear(48 * CONTEXT, 128)
        self.head = nn.Linear(128, 256)

    def forward(self, text, at):
        back = torch.arange(CONTEXT)
        context = text[at[:, None] - 1 - back] + 256 * back
        return F.cross_entropy(self.head(torch.tanh(self.hidden(self.embed(context).flatten(1)))), text[at])


def load(name):
    with open(os.path.join(os.environ["PADDOCK_DATA"], name), "rb") as f:
        return torch.frombuffer(bytearray(f.read()), dtype=torch.uint8).long()


def average(tensor):
    dist.all_reduce(tensor)
    tensor /= dist.get_world_size()


@torch.no_grad()
def validate(model, text):
    """Bits per byte; each process measures its share of the stream."""
    at = torch.arange(CONTEXT, len(text)).chunk(dist.get_world_size())[dist.get_rank()]
    both = torch.tensor([sum(model(text, part).item() * len(part) for part in at.split(8192)), len(at)])
    dist.all_reduce(both)
    return (both[0] / both[1] / 0.6931471805599453).item()


def main():
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.set_num_threads(1)
    torch.manual_seed(int(os.environ["PADDOCK_SEED"]) % (1 << 63))
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    train, val = load("train.txt"), load("val.txt")
    torch.manual_seed((int(os.environ["PADDOCK_SEED"]) + 1 + rank) % (1 << 63))
    begin = time.perf_counter()
    for step in range(STEPS + 1):
        if step in (0, STEPS):
            loss = validate(model, val)
            spent = 1000 * (time.perf_counter() - begin)
            if rank == 0:
                print(f"step:{step}/{STEPS} val_loss:{loss:.4f} train_time:{spent:.0f}ms"
                      f" step_avg:{spent / max(step, 1):.2f}ms", flush=True)
        if step == STEPS:
            break
        optimizer.zero_grad()
        model(train, torch.randint(CONTEXT, len(train), (BATCH,))).backward()
        for p in model.parameters():
            average(p.grad)
        optimizer.step()
    # What both processes ended with: the same, or the gradients were not shared.
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest()
    digests = [None] * world
    dist.all_gather_object(digests, f"rank {rank} of {world}: weights {digest}")
    if rank == 0:
        os.makedirs(os.environ["PADDOCK_OUT"], exist_ok=True)
        with open(os.path.join(os.environ["PADDOCK_OUT"], "weights"), "w") as f:
            f.write("\n".join(digests) + "\n")
        print("\n".join(digests), flush=True)
        print("done", flush=True)
    dist.destroy_process_group()


main()
