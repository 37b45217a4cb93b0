"""Pieces that several networks are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def start_like_keras(module: nn.Module) -> None:
    """Weights uniform as Glorot & Bengio 2010 (AISTATS 9, 249), biases zero: what the published networks started from.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> start_like_keras(layer)
    >>> layer.bias.tolist()
    [0.0, 0.0]
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def dense(sizes: Sequence[int], *, dropout: float = 0.0, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers, each followed by an activation, and by dropout where it is above zero.

    Examples
    --------
    >>> import torch
    >>> dense([8, 4, 2])(torch.zeros(5, 8)).shape
    torch.Size([5, 2])
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
        layers += [nn.Dropout(dropout)] if dropout > 0 else []
    return nn.Sequential(*layers)


def count_parameters(module: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
