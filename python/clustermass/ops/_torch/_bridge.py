"""Between tensors and arrays: the same memory under two names, nothing copied and nothing moved between devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import units
from ...errors import ArrayError, DomainError, DTypeError

DTYPES = (torch.float32, torch.float64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def tensors(**arguments: Any) -> list[Tensor]:
    """The arguments as tensors of one device: that of those which are tensors already."""
    device = next(a.device for a in arguments.values() if isinstance(a, Tensor))
    found = []
    for name, value in arguments.items():
        tensor = value if isinstance(value, Tensor) else torch.from_numpy(np.array(value)).to(device)
        if tensor.dtype not in DTYPES:
            raise DTypeError(f"`{name}` must be of float32, float64 or integers, got dtype {tensor.dtype}")
        if tensor.device != device:
            raise ArrayError(f"`{name}` must be on {device} like the tensors before it, got one on {tensor.device}")
        found.append(tensor)
    return found


def optional(name: str, value: Any, beside: Tensor) -> Tensor | None:
    """As `tensors`, for an argument that may be None; gradients are not computed for such arguments."""
    if value is None:
        return None
    tensor = tensors(beside=beside, **{name: value})[1]
    if tensor.requires_grad and torch.is_grad_enabled():
        raise DomainError(f"`{name}` must not require gradients (there is no derivative by it): detach it first")
    return tensor


def arrays(*values: Tensor | None) -> list[Any]:
    """NumPy arrays in the memory of CPU tensors; what lies on another device stays a tensor."""
    return [v.numpy() if isinstance(v, Tensor) and v.device.type == "cpu" else v for v in values]


def tensor_of(result: Any) -> Tensor:
    """A tensor in the memory of an array."""
    found: Tensor = torch.from_numpy(result) if isinstance(result, np.ndarray) else result
    return found


def float_type(*values: Tensor | None) -> torch.dtype:
    """float32 if all are float32, else float64: the type of a result."""
    return torch.float32 if all(v is None or v.dtype == torch.float32 for v in values) else torch.float64


def number(value: Any, name: str, unit: str) -> float:
    """A plain number in `unit`."""
    return float(units.strip_unit(value, unit, name))


def numbers(value: Any) -> list[float]:
    """One number, or some, as a list of them."""
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, (list, tuple)):
        return [float(v) for v in value]
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    return [float(v) for v in np.atleast_1d(np.asarray(value, float))]


def signed(seed: int) -> int:
    """A seed of 64 bits as torch can hold it; `unsigned` undoes it."""
    return seed - 2**64 if seed >= 2**63 else seed


def unsigned(seed: int) -> int:
    return seed % 2**64
