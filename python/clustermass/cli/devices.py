"""`clustermass info --devices`: which GPUs are there, and why none is used."""

from __future__ import annotations

import dataclasses
import json

from .. import _backend


def report(as_json: bool) -> str:
    """What CUDA offers here, as text or as one JSON object."""
    status = _backend.cuda_status()
    if as_json:
        return json.dumps({"cuda": {"available": status.available, **dataclasses.asdict(status)}}, indent=2)
    return render(status)


def render(status: _backend.CudaStatus) -> str:
    """The status as text."""
    lines = [f"CUDA         {'available' if status.available else f'not available: {status.reason}'}"]
    if status.built_with:
        driver = f"the driver knows up to {status.driver_supports}" if status.driver_supports else "no driver"
        lines.append(f"  versions   built with CUDA {status.built_with}, {driver}")
    for index, device in enumerate(status.devices):
        lines.append(f"  device {index:<4}{_device_text(device)}")
    return "\n".join(lines)


def _device_text(device: _backend.CudaDevice) -> str:
    major, minor = device.compute_capability
    gib = 2.0**30
    memory = f"{device.memory_free / gib:.1f} of {device.memory_total / gib:.1f} GiB free"
    text = f"{device.name}, compute capability {major}.{minor}, {device.multiprocessors} multiprocessors, "
    return text + (f"not usable: {device.reason}" if device.reason else memory)
