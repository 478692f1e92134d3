"""Divides the state of an optimiser among the devices of a fit: each weight is updated on one of them.

Moments and fp32 masters, most of what training a model takes beside its activations, are then held once and not on
each device: stage 1 of ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from tlbench.modeling.devices.device_group import DeviceGroup


class WeightOwners:
    """The device that updates each weight; they are chosen alike in all processes, as weights are first updated."""

    def __init__(self, group: DeviceGroup) -> None:
        self._group = group
        self._owners: dict[nn.Parameter, int] = {}
        self._numbers = [0] * group.size

    def is_here(self, weight: nn.Parameter) -> bool:
        """Returns whether this process updates a weight; a new one goes to the device with the fewest numbers."""
        if self._group.size == 1:
            return True
        if weight not in self._owners:
            owner = self._owners[weight] = self._numbers.index(min(self._numbers))
            self._numbers[owner] += weight.numel()
        return self._owners[weight] == self._group.rank

    def spread(self, weights: Sequence[nn.Parameter]) -> None:
        """Gives all processes the weights as they were updated."""
        if self._group.size == 1:
            return
        for rank in range(self._group.size):
            self._group.copy_from(rank, [weight for weight in weights if self._owners[weight] == rank])
