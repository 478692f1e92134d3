"""What a worker keeps between fits: weights, splits, tokens and activations."""

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
from tlbench.modeling.disk import disk_cache
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.precision import halve
from tlbench.running.fitting.reusable_encoder import ReusableEncoder
from tlbench.running.splits import Splits

K = TypeVar("K")
V = TypeVar("V")


Faults: TypeAlias = tuple[type[BaseException], ...]


def faults_in(isolated: bool) -> Faults:
    """Returns what of a plugin's errors is its own: in a process that no Ctrl-C reaches, an interrupt as well."""
    return (BaseException,) if isolated else (Exception, SystemExit, GeneratorExit)


class Session:
    """Weights, splits, tokens and activations that the fits of one process share."""

    def __init__(self, catalog: Catalog, device: torch.device, threads: int, isolated: bool = False) -> None:
        self.catalog = catalog
        self.faults = faults_in(isolated)
        self.device = device
        self.threads = threads
        self.activations = Activations(disk=disk_cache.shared())
        self._room_for = ""
        self._encoders: OrderedDict[tuple[str, str], ReusableEncoder] = OrderedDict()
        self._splits: OrderedDict[str, Splits] = OrderedDict()
        self._data: OrderedDict[tuple[str, str, Output], Data] = OrderedDict()

    def encoder(self, backbone: str, precision: str) -> ReusableEncoder:
        """Returns a backbone's encoder, as freshly loaded; two are kept."""

        def load() -> Encoder:
            return self.load(backbone, precision, pretrained=True)

        return _cached(self._encoders, (backbone, _weights(precision)), lambda: ReusableEncoder(load), 2)

    def make_room(self, cell: Cell) -> None:
        """Lets go of what other cells left on a GPU: a cell is promised, and charged, all of it.

        Pretrained weights' activations are on disk as well. Nothing happens while the cell stays the same.
        """
        if self.device.type != "cuda" or cell.id == self._room_for:
            return
        self._room_for = cell.id
        needed = (cell.backbone.name, _weights(cell.protocol.precision)) if cell.backbone else None
        for key in [key for key in self._encoders if key != needed]:
            del self._encoders[key]
        self.activations.clear()
        with suppress(RuntimeError):  # a GPU that is lost says so at the first fit
            torch.cuda.empty_cache()

    def load(self, backbone: str, precision: str, pretrained: bool) -> Encoder:
        """Returns a newly loaded encoder on the device."""
        encoder = self.catalog.backbone(backbone).item.load(pretrained=pretrained)
        if precision == "bf16-weights":
            halve(encoder)
        return encoder.to(self.device)

    def splits(self, task: str) -> Splits:
        """Returns a task's splits."""
        return _cached(self._splits, task, lambda: Splits(self.catalog.task(task).item), 4)

    def data(self, backbone: str | None, task: str, examples: Examples) -> Data:
        """Returns featurised examples.

        Raises:
            PluginError: The backbone lost some, or made rows that do not fit together.
        """
        if backbone is None:
            return bare(examples)
        found, output = self.catalog.backbone(backbone).item, self.catalog.task(task).item.output

        def make() -> Data:
            return checked(found.featurize(examples, output), examples)

        return _cached(self._data, (backbone, examples.fingerprint, output), make, 16)


def _weights(precision: str) -> str:
    """Returns what the weights are kept in; "auto" never means the weights."""
    return precision if precision == "bf16-weights" else "fp32"


def _cached(cache: OrderedDict[K, V], key: K, make: Callable[[], V], limit: int) -> V:
    if key not in cache:
        cache[key] = make()
        while len(cache) > limit:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


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


@contextmanager
def restored() -> Iterator[None]:
    """Puts back, after the block, what libraries keep for the whole process: modes, default type, threads, folder."""
    folder, limit = os.getcwd(), sys.getrecursionlimit()
    grad, dtype, threads = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    exact = _exactness()
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
        ) != exact:
            # Setting it imports torch's compiler, which takes seconds.
            torch.use_deterministic_algorithms(exact[0], warn_only=exact[1])
        torch.set_float32_matmul_precision(matmul)
        sys.setrecursionlimit(limit)
        with suppress(OSError):
            os.chdir(folder)


def _exactness() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
