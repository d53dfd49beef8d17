"""One process: OpenMP threads, data-loader workers that pass tensors through
shared memory, a model that learns."""
import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Points(Dataset):
    def __len__(self):
        return 512

    def __getitem__(self, i):
        x = torch.from_numpy(numpy.random.default_rng(i).standard_normal(16).astype("float32"))
        return x, (x[:8].sum() - x[8:].prod()).reshape(1)


def main():
    torch.manual_seed(1)
    torch.set_num_threads(2)
    model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    totals = []
    for _ in range(6):
        total = 0.0
        for x, y in DataLoader(Points(), 64, shuffle=True, num_workers=2):
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        totals.append(total)
    torch.save(model.state_dict(), "model.pt")
    again = torch.load("model.pt")
    assert all(torch.equal(v, again[k]) for k, v in model.state_dict().items())
    assert totals[-1] < 0.7 * totals[0], totals
    print(f"loss {totals[0]:.3f} to {totals[-1]:.3f}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
