"""What a worker keeps warm between cells, and the materials of one cell made from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import PluginError, SealBroken
from tlbench.contracts.outputs import Output
from tlbench.contracts.record import Provenance
from tlbench.contracts.space import Choice, Float, Int, Space, Value, narrow
from tlbench.contracts.strategy import About, TaskInfo
from tlbench.contracts.task import Examples, SplitName
from tlbench.modeling.activations import Activations
from tlbench.modeling.data import Data, bare, checked
from tlbench.modeling.disk import cache as disk_cache
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.precision import halve, resolve
from tlbench.planning.plan import space_about
from tlbench.running.measure import provenance
from tlbench.running.overlap import overlap
from tlbench.running.splits import Splits
from tlbench.running.warm import WarmEncoder
from tlbench.running.work import WorkFolder

if TYPE_CHECKING:
    from tlbench.modeling.heads import Head

K = TypeVar("K")
V = TypeVar("V")


class Workbench:
    """Imports, weights, splits, tokens and activations that cells of one process share."""

    def __init__(self, catalog: Catalog, device: torch.device, threads: int, disposable: bool = False) -> None:
        self.catalog = catalog
        self.device = device
        self.threads = threads
        self.disposable = disposable
        """Whether this process may end at any moment, since another takes its place."""
        self.activations = Activations(disk=disk_cache.shared())
        self._room_for = ""
        self._encoders: OrderedDict[tuple[str, str], WarmEncoder] = OrderedDict()
        self._splits: OrderedDict[str, Splits] = OrderedDict()
        self._data: OrderedDict[tuple[str, str, Output], Data] = OrderedDict()

    def encoder(self, backbone: str, precision: str) -> WarmEncoder:
        """Returns the warm encoder of a backbone; two are kept."""

        def load() -> Encoder:
            return self.load(backbone, precision, pretrained=True)

        return _cached(self._encoders, (backbone, _weights(precision)), lambda: WarmEncoder(load), 2)

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


class Materials:
    """Everything that one cell's fits are made from."""

    def __init__(self, cell: Cell, bench: Workbench, work: WorkFolder) -> None:
        self.cell, self.bench, self.work = cell, bench, work
        catalog = bench.catalog
        self.task = catalog.task(cell.task.name)
        self.strategy = catalog.strategy(cell.strategy.name)
        self.backbone = catalog.backbone(cell.backbone.name) if cell.backbone else None
        self.precision = resolve(cell.protocol.precision, bench.device)
        self.splits = bench.splits(cell.task.name)
        self.about: About = space_about(self.task.item, cell.protocol, self.backbone.item if self.backbone else None)
        self._made: dict[tuple[int, str], object] = {}
        self.once_seconds: dict[tuple[int, str], float] = {}
        """What making each took, by seed and key."""
        self._test: Examples | None = None

    @property
    def info(self) -> TaskInfo:
        """What a strategy may know of the task."""
        return self.about.task

    @property
    def space(self) -> Space:
        """The strategy's space with the suite's overrides.

        Raises:
            PluginError: It is no space.
        """
        space = self.strategy.item.space(self.about)
        if not isinstance(space, Mapping):
            raise PluginError(f"space() returned {type(space).__name__}, not a dict")
        for name, domain in space.items():
            if not isinstance(domain, Float | Int | Choice):
                raise PluginError(f"space()[{name!r}] is a {type(domain).__name__}, not Float, Int or Choice")
        return narrow(space, self.cell.space)

    @property
    def defaults(self) -> dict[str, Value]:
        """The strategy's own setting, to be tried first."""
        return dict(self.strategy.item.defaults(self.about))

    @property
    def warm(self) -> WarmEncoder | None:
        """The warm encoder, or None for a strategy that looks through no backbone."""
        return self.bench.encoder(self.cell.backbone.name, self.precision) if self.cell.backbone else None

    def head(self, encoder: Encoder) -> Head:
        """Returns a new head on the device."""
        if self.backbone is None:
            raise PluginError("a head needs a backbone")
        return self.backbone.item.head(self.task.item.output, encoder).to(self.bench.device)

    def load(self, pretrained: bool = True) -> Encoder:
        """Returns the cell's backbone loaded anew."""
        if self.cell.backbone is None:
            raise PluginError("this strategy looks through no backbone")
        return self.bench.load(self.cell.backbone.name, self.precision, pretrained)

    def data(self, examples: Examples) -> Data:
        """Returns featurised examples with a meter of their own."""
        backbone = self.cell.backbone.name if self.cell.backbone else None
        return self.bench.data(backbone, self.cell.task.name, examples).metered()

    def train(self, seed: int) -> Data:
        """Returns the training subset of a seed; its features are read out of those of all the cell's seeds."""
        limit = self.cell.protocol.train_limit
        if limit is None or limit >= len(self.splits.train):
            return self.data(self.splits.train)
        seeds = self.cell.protocol.seeds
        pool, positions = self.splits.pool(seeds if seed in seeds else (seed,), limit)
        return self.data(pool).share(positions[seed])

    def examples(self, seed: int) -> Callable[[SplitName], Examples | None]:
        """Returns what a job's `examples` is: raw examples of any split but the test."""
        limit = self.cell.protocol.train_limit

        def get(split: SplitName) -> Examples | None:
            if split == "train":
                return self.splits.subset(seed, limit)
            if split == "validation":
                return self.splits.validation
            if split == "unlabeled":
                return self.splits.unlabeled(seed, limit)
            raise SealBroken(f"a strategy asked for the {split} split")

        return get

    def once(self, seed: int, key: str, make: Callable[[], object]) -> tuple[object, bool]:
        """Returns what `make` made for this cell, seed and key, and whether it was made just now."""
        if (seed, key) in self._made:
            return self._made[seed, key], False
        self._made[seed, key] = make()
        return self._made[seed, key], True

    def test(self) -> Examples:
        """Opens the test split, once; the winner must be frozen on disk.

        Raises:
            SealBroken: It is not.
        """
        if self._test is None:
            if self.work.winner() is None:
                raise SealBroken(f"{self.cell.title}: the test split was asked for before the winner was frozen")
            self.work.note_test_read()
            examples = self.task.item.split("test")
            if not examples:
                raise PluginError(f"{self.task.ref.name}: the test split is empty")
            self._test = examples
            # Others that ask for the same final fits must know on which test split they were scored.
            self.work.note_made_with(self.provenance())
        return self._test

    def overlap(self) -> dict[str, int]:
        """Returns split to how many test examples stand in it too; nothing before the test split is opened."""
        return {} if self._test is None else overlap(self._test, self.splits)

    def fingerprints(self) -> dict[str, str]:
        """Returns split to fingerprint, of the splits that were used."""
        found = {"train": self.splits.train.fingerprint, "validation": self.splits.validation.fingerprint}
        if self._test is not None:
            found["test"] = self._test.fingerprint
        return found

    def provenance(self) -> Provenance:
        """Returns what the cell is run with."""
        found: list[Found[Any]] = [self.task, self.strategy, *([self.backbone] if self.backbone else [])]
        plugins = [(item.distribution, item.version) for item in found]
        data: dict[str, str] = {}
        with suppress(Exception, SystemExit):  # a cell may have failed for want of its data
            data = self.fingerprints()
        return provenance(plugins, self.bench.device, self.precision, self.bench.threads, data)


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
