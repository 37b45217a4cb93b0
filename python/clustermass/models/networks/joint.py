"""A network on the galaxies and the images of a cluster together."""

from __future__ import annotations

import torch
from torch import nn

from .layers import dense


class JointNetwork(nn.Module):
    """What a set network makes of the galaxies and an image network of the maps, decoded together.

    Parameters
    ----------
    galaxies : Module
        (galaxies, weight, owner, summary) -> (n, features), as `SetNetwork`.
    maps : Module
        (images, redshift) -> (n, features).
    features : int
        Numbers that come out of each.
    outputs : int
    hidden : int
        Width of the last layers.

    Examples
    --------
    >>> from clustermass.models.networks.resnet import MapResNet
    >>> from clustermass.models.networks.sets import SetNetwork
    >>> sets = SetNetwork(columns=4, summaries=5, outputs=8)
    >>> network = JointNetwork(sets, MapResNet(outputs=8, redshift=True), features=8, outputs=3)
    >>> owner = torch.tensor([0, 0, 0, 1])
    >>> galaxies = (torch.zeros(4, 4), torch.ones(4), owner, torch.zeros(2, 5))
    >>> network(*galaxies, torch.zeros(2, 1, 16, 16), torch.zeros(2)).shape
    torch.Size([2, 3])
    """

    def __init__(self, galaxies: nn.Module, maps: nn.Module, features: int, outputs: int = 1, hidden: int = 64) -> None:
        super().__init__()
        self.galaxies, self.maps = galaxies, maps
        self.decode = dense([2 * features, hidden], activation=nn.GELU)
        self.output = nn.Linear(hidden, outputs)
        self.straight = nn.Linear(2 * features, outputs)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What both networks take, one after the other -> (n, outputs)."""
        *members, images, redshift = inputs
        seen = torch.cat([self.galaxies(*members), self.maps(images, redshift)], 1)
        outputs: torch.Tensor = self.output(self.decode(seen)) + self.straight(seen)
        return outputs
