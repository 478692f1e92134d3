"""The objects that a worker process keeps between orders: models, splits, featurised data and activations."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias, TypeVar

import torch

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import UsageError
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data, bare, checked
from tlbench.modeling.devices.device_group import ALONE
from tlbench.modeling.disk import disk_cache
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.precision import to_bf16_weights
from tlbench.modeling.private_weights import make_private
from tlbench.running.fitting.reusable_encoder import ReusableEncoder
from tlbench.running.splits import Splits

K = TypeVar("K")
V = TypeVar("V")


GPU_SHARE = "TLBENCH_GPU_SHARE"
"""Environment variable of a worker that shares its GPU: the part of the GPU's memory that it may use, such as 0.25."""
CaughtErrors: TypeAlias = tuple[type[BaseException], ...]


def caught_errors(isolated: bool) -> CaughtErrors:
    """Returns the exception types that count as errors of a plugin.

    In a worker process, which Ctrl-C never reaches, these are all exceptions.
    """
    return (BaseException,) if isolated else (Exception, SystemExit, GeneratorExit)


class Session:
    """The models, splits, featurised data and activations that all fits of one process share."""

    def __init__(self, catalog: Catalog, device: torch.device, threads: int, isolated: bool = False) -> None:
        self.catalog = catalog
        self.caught = caught_errors(isolated)
        self.device = device
        self.threads = threads
        self.group = ALONE
        """The processes that run the fits of the current order together."""
        self.devices = 1
        """The number of devices of the cell's fits."""
        self.activations = Activations(disk=disk_cache.shared())
        self._current_cell = ""
        self._encoders: OrderedDict[tuple[str, str], ReusableEncoder] = OrderedDict()
        self._splits: OrderedDict[str, Splits] = OrderedDict()
        self._data: OrderedDict[tuple[str, str, Output], Data] = OrderedDict()

    def encoder(self, backbone: str, precision: str) -> ReusableEncoder:
        """Returns a backbone's encoder; the two encoders that were used last stay loaded."""

        def load() -> Encoder:
            return self.load(backbone, precision, pretrained=True)

        return _cached(self._encoders, (backbone, _weights(precision)), lambda: ReusableEncoder(load), 2)

    def release_other_cells(self, cell: Cell) -> None:
        """Frees the GPU memory of other cells' models and activations when the cell changes.

        A cell's memory estimate and measurement assume a GPU of its own. Activations of pretrained weights are on disk
        too, so that little is lost.
        """
        if self.device.type != "cuda" or cell.id == self._current_cell:
            return
        self._current_cell = cell.id
        needed = (cell.backbone.name, _weights(cell.protocol.precision)) if cell.backbone else None
        for key in [key for key in self._encoders if key != needed]:
            del self._encoders[key]
        self.activations.clear()
        with suppress(RuntimeError):  # a lost GPU is reported by the first fit
            torch.cuda.empty_cache()

    def load(self, backbone: str, precision: str, pretrained: bool) -> Encoder:
        """Returns a newly loaded encoder on the device."""
        encoder = self.catalog.backbone(backbone).item.load(pretrained=pretrained)
        if precision == "bf16-weights":
            to_bf16_weights(encoder)
        encoder = encoder.to(self.device)
        make_private(encoder)
        return encoder

    def splits(self, task: str) -> Splits:
        """Returns a task's splits."""
        return _cached(self._splits, task, lambda: Splits(self.catalog.task(task).item), 4)

    def data(self, backbone: str | None, output: Output, examples: Examples) -> Data:
        """Returns the examples featurised by a backbone for an output, or without features if there is no backbone.

        Raises:
            PluginError: The backbone dropped examples, or returned rows that do not fit together.
        """
        if backbone is None:
            return bare(examples)
        found = self.catalog.backbone(backbone).item

        def make() -> Data:
            return checked(found.featurize(examples, output), examples)

        return _cached(self._data, (backbone, examples.fingerprint, output), make, 16)


def _weights(precision: str) -> str:
    """Returns the precision in which the encoder's weights are held.

    This is "bf16-weights" if that is requested, and else "fp32" (also for `auto`).
    """
    return precision if precision == "bf16-weights" else "fp32"


def _cached(cache: OrderedDict[K, V], key: K, make: Callable[[], V], limit: int) -> V:
    if key not in cache:
        cache[key] = make()
        while len(cache) > limit:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


def resolve_device(name: str) -> torch.device:
    """Returns the torch device for `cpu`, `cuda` or `cuda:<n>`.

    Raises:
        UsageError: torch does not see the device, or cannot use it.
    """
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise UsageError(f"device {name}: torch sees {count} GPUs")
        try:
            # `device_count` works without a working driver; only this finds out.
            torch.cuda.init()
            if share := os.environ.get(GPU_SHARE):
                torch.cuda.set_per_process_memory_fraction(float(share), device.index or 0)
        except Exception as error:
            raise UsageError(f"device {name}: {' '.join(str(error).split())} (--device cpu does without)") from None
    return device


@contextmanager
def restored_globals() -> Iterator[None]:
    """Restores process-wide state after the block: torch's modes, default dtype and threads, and the working directory.

    Strategies may change it, and the next fit in this process must not depend on that.
    """
    folder, limit = os.getcwd(), sys.getrecursionlimit()
    grad, dtype, threads = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    deterministic = _determinism()
    matmul = torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ) != deterministic:
            # Only if it changed, because this call imports torch's compiler, which takes seconds.
            torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.set_float32_matmul_precision(matmul)
        sys.setrecursionlimit(limit)
        with suppress(OSError):
            os.chdir(folder)


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
