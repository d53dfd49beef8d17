"""Several processes, started by torchrun: gradients go over Gloo on 127.0.0.1."""
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def main():
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 1))
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    torch.manual_seed(100 + rank)  # each sees data of its own
    losses = []
    for _ in range(120):
        x = torch.randn(64, 16)
        loss = nn.functional.mse_loss(model(x), x[:, :4].sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total = loss.detach().clone()
        dist.all_reduce(total)
        losses.append(total.item())
    mine = net[0].weight.detach()
    others = mine.clone()
    dist.broadcast(others, 0)
    assert torch.equal(mine, others), "the copies drifted apart"
    assert losses[-1] < 0.5 * losses[0], losses
    print(f"rank {rank} of {world}: loss {losses[0]:.3f} to {losses[-1]:.3f}", flush=True)
    dist.destroy_process_group()


main()
