"""Several networks of one architecture as one: parameters stacked, one vectorised pass for all.

Networks on images and cubes pass one after another: convolutions with weights of their own for each member take 1.4
(cubes, two members) to 2.5 times as long in one pass (images, three members) on a CPU, and the memory of one is enough.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, stack_module_state
from torch.overrides import TorchFunctionMode

from ..data.map_sample import CACHED_PIXELS

State = dict[str, torch.Tensor]


class Members:
    """Networks that are trained together, each on clusters of its own.

    Parameters
    ----------
    make : callable
        Gives a new network, a `MassNetwork`; called once for each member with torch's generator at that member's seed.
    seeds : sequence of int
        One a member.
    device : torch.device
    prepare : callable, optional
        Called with each new network and its number.

    Examples
    --------
    >>> from clustermass.models.networks.heads import MassNetwork, PointHead
    >>> members = Members(lambda: MassNetwork(nn.Linear(3, 1), PointHead()), [1, 2], torch.device("cpu"))
    >>> members.losses(torch.zeros(2, 5), torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        seeds: Sequence[int],
        device: torch.device,
        prepare: Callable[[nn.Module, int], None] | None = None,
    ) -> None:
        networks = []
        with torch.random.fork_rng(devices=[]):
            for number, seed in enumerate(seeds):
                torch.manual_seed(seed)
                networks.append(make())
                if prepare is not None:
                    prepare(networks[-1], number)
                networks[-1].to(device)
            self.description = str(networks[0])  #: layers with their settings; flows draw numbers to say this
        self.device, self.n = device, len(networks)
        self.parameters, self.buffers = stack_module_state(networks)
        self._network = copy.deepcopy(networks[0]).to("meta")
        self._mapped: Callable[..., torch.Tensor] = torch.vmap(self._one, randomness="different")
        parts = list(networks[0].modules())
        self._one_by_one = any(isinstance(part, nn.Conv2d | nn.Conv3d) for part in parts)
        self._sees_images = any(isinstance(part, nn.Conv2d) for part in parts)

    def _one(self, parameters: State, buffers: State, *inputs: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = functional_call(self._network, (parameters, buffers), inputs)
        return found

    def losses(self, y: torch.Tensor, *inputs: torch.Tensor, training: bool = True) -> torch.Tensor:
        """Loss of each cluster of each member, shape (members, clusters)."""
        self._network.train(training)
        if not self._one_by_one:
            with _ConvolveEach() if self.device.type == "cpu" else nullcontext():
                return self._mapped(self.parameters, self.buffers, y, *inputs)
        each = [
            self._one(self._own(self.parameters, k), self._own(self.buffers, k), y[k], *self._inputs_of(inputs, k))
            for k in range(self.n)
        ]
        return torch.stack(each)

    def descend(
        self,
        y: torch.Tensor,
        weight: torch.Tensor,
        whole: torch.Tensor,
        *inputs: torch.Tensor,
        precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> torch.Tensor:
        """Put the gradient of each member's mean loss where the optimiser looks; gives the sums of the losses.

        Parameters
        ----------
        y : (members, clusters)
            Scaled log masses.
        weight : (members, clusters)
            0 leaves a cluster out.
        whole : (members,)
            What sums of losses are divided by.
        *inputs : (members, clusters, ...)
            What the networks see.
        precision : callable
            Gives the context that losses are worked out in.

        Returns
        -------
        (members,) tensor
        """
        if not self._one_by_one:
            with precision():
                losses = self.losses(y, *inputs).float()
            sums = (losses * weight).sum(1)
            torch.autograd.backward((sums / whole).sum())
            return sums.detach()
        self._network.train()
        found = []
        for k in range(self.n):
            own = {name: value.requires_grad_() for name, value in self._own(self.parameters, k).items()}
            seen, total = self._inputs_of(inputs, k), torch.zeros((), device=self.device)
            gradient = [torch.zeros_like(value) for value in own.values()]
            for part in self._parts(y.shape[1], seen):
                with precision():
                    losses = self._one(own, self._own(self.buffers, k), y[k, part], *(v[part] for v in seen)).float()
                loss = (losses * weight[k, part]).sum()
                slopes = torch.autograd.grad(loss / whole[k], list(own.values()))
                total += loss.detach()
                for known, slope in zip(gradient, slopes, strict=True):
                    known += slope
            for value, known in zip(self.parameters.values(), gradient, strict=True):
                if value.grad is None:
                    value.grad = torch.zeros_like(value)
                value.grad[k] = known
            found.append(total)
        return torch.stack(found)

    def _parts(self, n: int, inputs: Sequence[torch.Tensor]) -> list[slice]:
        """Clusters whose gradients are found together: of images on the CPU as many as its caches hold."""
        most = n
        if self._sees_images and self.device.type == "cpu":
            pixels = max(v.shape[-2] * v.shape[-1] for v in inputs if v.ndim >= 3)
            most = max(1, CACHED_PIXELS // pixels)
        return [slice(low, low + most) for low in range(0, n, most)]

    def _inputs_of(self, inputs: tuple[torch.Tensor, ...], member: int) -> list[torch.Tensor]:
        return [channels_last(value[member]) if self._sees_images else value[member] for value in inputs]

    def _own(self, state: State, member: int) -> State:
        own = {name: value.detach()[member] for name, value in state.items()}
        return {name: channels_last(value) for name, value in own.items()} if self._sees_images else own

    def copy_state(self) -> State:
        """Parameters and buffers of all members, copied."""
        return {name: value.detach().clone() for name, value in {**self.parameters, **self.buffers}.items()}

    def put_state(self, state: State) -> None:
        """Take parameters and buffers from `copy_state`."""
        with torch.no_grad():
            for name, value in {**self.parameters, **self.buffers}.items():
                value.copy_(state[name])

    def of_member(self, state: State, member: int) -> State:
        """The part of a state that belongs to one member, as ``load_state_dict`` takes it."""
        return {name: value[member].clone() for name, value in state.items()}


class _ConvolveEach(TorchFunctionMode):
    """Convolutions of stacked members one after another. As one grouped convolution, which vmap makes of them, the
    gradient of the weights takes twice as long on the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _CONVOLUTIONS and not kwargs:
            return _Convolution.apply(func, *args)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


_CONVOLUTIONS = (torch.conv1d, torch.conv3d)


class _Convolution(torch.autograd.Function):
    """What vmap does with a convolution: its gradient is that of the parts."""

    @staticmethod
    def forward(convolve: Any, *args: Any) -> torch.Tensor:
        """Outside vmap nothing is special."""
        found: torch.Tensor = convolve(*args)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, convolve: Any, *args: Any) -> tuple[torch.Tensor, int]:
        """One call a member."""
        parts = [
            value.unbind(dim) if isinstance(dim, int) else [value] * info.batch_size
            for value, dim in zip(args, in_dims[1:], strict=True)
        ]
        return torch.stack([convolve(*own) for own in zip(*parts, strict=True)]), 0


def channels_last(value: torch.Tensor) -> torch.Tensor:
    """Images and their filters, (n, channel, row, column), with the channels next to each other in memory: convolutions
    and pools take 0.5 to 0.8 of the time on a CPU. Everything else as it is."""
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def keep_better(best: State, state: State, better: torch.Tensor) -> None:
    """Put those members of `state` that are `better` (members,) into `best`."""
    for name, value in best.items():
        value[better] = state[name][better]


def bound_weights(parameters: dict[str, Any], limit: float) -> None:
    """Scale weights down whose norm over the last axis is above `limit`, but those of the last layer, ``output``."""
    with torch.no_grad():
        for name, value in parameters.items():
            if value.ndim > 2 and ".output." not in f".{name}":
                norm = value.norm(dim=-1, keepdim=True)
                value.mul_(norm.clamp(max=limit) / (norm + 1e-7))
