"""A small problem for the training loop, the same in every process."""

import numpy as np
import torch

from clustermass.models.networks.heads import MassNetwork, PointHead
from clustermass.models.networks.layers import dense
from clustermass.training.inputs import digest_of
from clustermass.training.loop import Fold

CPU = torch.device("cpu")


class Table:
    """Inputs that are rows of a table; a mirror image is the negative row."""

    def __init__(self, values):
        self.values = torch.as_tensor(values, dtype=torch.float32)

    def batch(self, rows, flip, key=None):
        sign = torch.as_tensor(np.where(flip, -1.0, 1.0), dtype=torch.float32)[..., None]
        return (self.values[torch.as_tensor(rows)] * sign,)

    def digest(self):
        return digest_of(self.values.numpy())


class Even(torch.nn.Module):
    """A network with dropout whose answer is even in its input."""

    def __init__(self, outputs=1, dropout=0.1):
        super().__init__()
        self.hidden, self.output = dense([3, 16], dropout=dropout), torch.nn.Linear(16, outputs)

    def forward(self, x):
        return self.output(self.hidden(x.abs()))


def make(head=PointHead, dropout=0.1):
    return MassNetwork(Even(head.outputs, dropout), head())


def problem(seed=11):
    """Inputs and scaled masses of 300 clusters."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 3))
    y = 0.6 * np.abs(x[:, 0]) - 0.4 * np.abs(x[:, 1]) + 0.02 * rng.normal(size=300)
    return Table(x), y.astype(np.float32)


def folds(n=3):
    rows = np.arange(300)
    return [Fold(rows[(rows % 5 != k) & (rows % 7 != 0)], rows[rows % 5 == k]) for k in range(n)]
