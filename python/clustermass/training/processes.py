"""Several processes that train as one: each takes a share of every batch, gradients are added up.

Started by ``torchrun``, which tells each process its number. Every process keeps the whole state; equal sums of
gradients keep the states equal. Only the first writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from ..errors import TrainingError

TIMEOUT = timedelta(minutes=30)  #: that the others are waited for: a step, or reading and gridding a catalogue


@dataclass(frozen=True)
class Processes:
    """The processes of a run, this one among them.

    Attributes
    ----------
    rank : int
        Number of this process.
    size : int
        Number of processes.

    Examples
    --------
    >>> alone = Processes()
    >>> alone.leads, alone.share(5)
    (True, slice(0, None, 1))
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, length: int) -> slice:
        """What this process takes of `length` columns: every `size`-th; nothing where there are too few."""
        return slice(self.rank, None, self.size)

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace tensors by their sums over all processes, the same bits in each.

        Raises
        ------
        TrainingError
            If another process has ended, or does not answer.
        """
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        try:
            distributed.all_reduce(flat)
        except RuntimeError as exc:
            raise TrainingError(
                f"process {self.rank} of {self.size} lost the others: one of them has ended or does not answer; its "
                f"own message says why. The same command goes on from the last checkpoint ({exc})"
            ) from exc
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()


def is_shared() -> bool:
    """Whether torchrun has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_leading() -> bool:
    """Whether this process, alone or of several, is the one that writes."""
    return not is_shared() or os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun has started, talking by gloo (CPU) or nccl (CUDA); without torchrun, this one alone.

    Raises
    ------
    TrainingError
        If the others cannot be reached.
    """
    if not is_shared():
        yield Processes()
        return
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    except (RuntimeError, ValueError) as exc:
        raise TrainingError(f"the processes of torchrun cannot reach each other: {exc}") from exc
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
