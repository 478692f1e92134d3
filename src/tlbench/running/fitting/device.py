"""From the name of a device to the device."""

from __future__ import annotations

import torch

from tlbench.contracts.errors import UsageError


def resolve_device(name: str) -> torch.device:
    """Returns the device of a name: `cpu`, `cuda` or `cuda:<n>`.

    Raises:
        UsageError: A device that torch does not see, or cannot use.
    """
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UsageError(f"device {name}: torch sees {count} GPUs")
        try:
            # GPUs are counted without a driver that works
            torch.cuda.init()
        except Exception as error:
            raise UsageError(f"device {name}: {' '.join(str(error).split())} (--device cpu does without)") from None
    return device
