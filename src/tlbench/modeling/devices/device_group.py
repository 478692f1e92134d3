"""The processes that run one fit together, each on a device of its own, and what they exchange.

All of them run the same code on the same job and hold the same weights. A batch is divided among them, and the
gradients of its parts are added up before each step (data parallelism, as in torch's `DistributedDataParallel`).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tlbench.modeling.devices.exit_status import GROUP_LOST

BUCKET_NUMBERS = 2**23
"""Gradients and weights are exchanged in pieces of about this many numbers, which take 32 MB in fp32."""
SEED_DISTANCE = 1_000_003
"""Distance between the seeds of two devices, so that dropout draws another mask for each part of a batch."""


class FirstDeviceError(RuntimeError):
    """The first device could not compute a value that the others wait for; its own error says why."""

    def __init__(self) -> None:
        super().__init__("the first device of the fit has failed")


@dataclass(eq=False)
class DeviceGroup:
    """The processes of a fit; by default this one alone, for which nothing is exchanged."""

    rank: int = 0
    """The number of this process, from 0; that of rank 0 returns the results and writes the files."""
    size: int = 1
    first_has_failed: bool = False
    """Whether a fit in this process ended because the first device failed, which reports it."""

    def rows_of_ranks(self, indices: Sequence[int]) -> list[list[int]]:
        """Returns the rows of a batch for each rank, about as many and as long ones for each; some may have none."""
        # Every n-th row: the rows of a batch may be sorted by length.
        return [list(indices[rank :: self.size]) for rank in range(self.size)]

    def seed_of(self, seed: int) -> int:
        """Returns the seed of this process; that of rank 0 is the seed of a fit on one device."""
        return seed + SEED_DISTANCE * self.rank

    def from_first(self, make: Callable[[], float]) -> float:
        """Returns what `make` returns on rank 0, the only one that calls it.

        Raises:
            Exception: `make` raised; `FirstDeviceError` on the other ranks.
        """
        if self.size == 1:
            return make()
        if self.rank:
            value, is_valid = self._exchanged([0.0, 0.0])
            if not is_valid:
                self.first_has_failed = True
                raise FirstDeviceError
            return value
        try:
            value = float(make())
        except BaseException:
            self._exchanged([0.0, 0.0])
            raise
        return self._exchanged([value, 1.0])[0]

    def of_first(self, value: float) -> float:
        """Returns the value that rank 0 has."""
        return value if self.size == 1 else self._exchanged([value])[0]

    def copy_from_first(self, model: nn.Module) -> None:
        """Gives the model the weights and buffers that it has on rank 0."""
        self.copy_from(0, [*model.parameters(), *model.buffers()])

    def copy_from(self, rank: int, tensors: Sequence[Tensor]) -> None:
        """Gives tensors the values that they have on a rank."""
        if self.size == 1:
            return
        import torch.distributed as dist

        with _ending_if_lost(), torch.no_grad():
            for bucket in _buckets(tensors):
                flat = _flat(bucket)
                dist.broadcast(flat, src=rank)
                if rank != self.rank:
                    _copy(flat, bucket)

    def sum_gradients(self, weights: Iterable[nn.Parameter], loss: Tensor) -> Tensor:
        """Adds up the gradients of all ranks, each of which then has the sums; returns the sum of their losses.

        A weight that has a gradient on no rank gets none.
        """
        if self.size == 1:
            return loss
        import torch.distributed as dist

        moved = [weight for weight in weights if weight.requires_grad]
        with _ending_if_lost(), torch.no_grad():
            has_gradient = torch.tensor([weight.grad is not None for weight in moved], dtype=torch.uint8)
            # On the host, as are the flags, so that no GPU is waited for.
            dist.all_reduce(has_gradient, op=dist.ReduceOp.MAX)
            for weight, is_moved in zip(moved, has_gradient.tolist(), strict=True):
                if is_moved and weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
                elif is_moved and weight.grad is not None and weight.grad.is_sparse:
                    weight.grad = weight.grad.to_dense()
            # In one precision, since that of a process without rows is not known.
            total = loss.detach().double()
            dist.all_reduce(total)
            for bucket in _buckets([weight.grad for weight in moved if weight.grad is not None]):
                flat = _flat(bucket)
                dist.all_reduce(flat)
                _copy(flat, bucket)
        return total.to(loss.dtype)

    def _exchanged(self, numbers: list[float]) -> list[float]:
        """Returns the numbers that rank 0 has passed."""
        import torch.distributed as dist

        with _ending_if_lost():
            values = torch.tensor(numbers, dtype=torch.float64)
            dist.broadcast(values, src=0)
        found: list[float] = values.tolist()
        return found


ALONE = DeviceGroup()
"""The group of a fit on one device."""


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yields tensors in lists of one data type with about `BUCKET_NUMBERS` numbers."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in sorted(tensors, key=lambda tensor: str(tensor.dtype)):
        if bucket and (bucket[0].dtype != tensor.dtype or size + tensor.numel() > BUCKET_NUMBERS):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """Returns the numbers of tensors in one, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _copy(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copies numbers back to the tensors that `_flat` took them from."""
    for tensor, piece in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(piece.view_as(tensor))


@contextmanager
def _ending_if_lost() -> Iterator[None]:
    """Ends this process if the block can no longer reach the other processes, one of which has died or hangs."""
    try:
        yield
    except RuntimeError:
        # No strategy can go on, and one that catches errors must not try to: the executor reports a lost worker.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(GROUP_LOST)
