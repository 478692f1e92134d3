"""The data, models and metadata of one cell, taken from a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from tlbench.catalog.catalog import Found
from tlbench.contracts.backbone import Card
from tlbench.contracts.cell import Cell, Final, FitPurpose
from tlbench.contracts.errors import PluginError, SealBroken
from tlbench.contracts.fits.other_models import LoadedBackbone, OtherOutput, OtherTask
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output
from tlbench.contracts.record import Provenance
from tlbench.contracts.task import Examples, SplitName
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.heads import new_head
from tlbench.planning.needs import need_ref
from tlbench.planning.space_context import space_about
from tlbench.running.fitting.reusable_encoder import ReusableEncoder
from tlbench.running.fitting.session import Session
from tlbench.running.scoring.overlap import count_shown, overlap
from tlbench.system.measure import provenance

if TYPE_CHECKING:
    from tlbench.modeling.heads import Head


@dataclass(frozen=True)
class FitData:
    """The examples of one fit, and their features."""

    train: Data
    validation: Data | None
    """None in a final fit that trains on the validation split too."""
    train_examples: Examples
    validation_examples: Examples | None
    part: Final
    """What the examples were taken from: the training split, or train and validation together."""
    name: str = ""
    """Differs for fits of one cell and seed that have other training examples, such as those of each fold."""


class CellContext:
    """Gives the fits of one cell their data, encoder and head, and describes their provenance."""

    def __init__(self, cell: Cell, session: Session, precision: str) -> None:
        self.cell, self.session, self.precision = cell, session, precision
        catalog = session.catalog
        self.task = catalog.task(cell.task.name)
        self.strategy = catalog.strategy(cell.strategy.name)
        self.backbone = catalog.backbone(cell.backbone.name) if cell.backbone else None
        self.splits = session.splits(cell.task.name)
        self.about = space_about(self.task.item, cell.protocol, self.backbone.item if self.backbone else None)
        self._once_values: dict[tuple[int, str], object] = {}
        self.once_seconds: dict[tuple[int, str], float] = {}
        """Time in seconds that computing each value of `Job.once` took, by seed and key."""
        self._fit_data: dict[tuple[int, Final, int | None], FitData] = {}
        self._labelled_fingerprints: dict[str, str] = {}
        self._test: Examples | None = None
        self._trained_on: set[str] = set()
        """The fingerprints of training data that fits have read, whose activations may be in memory."""

    @property
    def info(self) -> TaskInfo:
        """The task's metadata that a strategy may see."""
        return self.about.task

    @cached_property
    def metric(self) -> Metric:
        """The task's primary metric."""
        return self.session.catalog.metric(self.info.metric)

    @property
    def validation(self) -> Examples:
        """The examples on which trials are validated."""
        return self.splits.validation_of(self.cell.protocol.amount)

    @property
    def encoder(self) -> ReusableEncoder | None:
        """The encoder, or None for a strategy without a backbone."""
        return self.session.encoder(self.cell.backbone.name, self.precision) if self.cell.backbone else None

    @cached_property
    def card(self) -> Card:
        """The backbone's card; an empty one for a strategy without a backbone."""
        return self.backbone.item.card() if self.backbone else Card()

    def head(self, encoder: Encoder) -> Head:
        """Returns a new head on the device.

        Raises:
            PluginError: The strategy has no backbone.
        """
        if self.backbone is None:
            raise PluginError("a head needs a backbone")
        return new_head(self.backbone.item, self.task.item.output, encoder).to(self.session.device)

    def load(self, pretrained: bool = True) -> Encoder:
        """Loads the cell's backbone again and returns its encoder.

        Raises:
            PluginError: The strategy has no backbone.
        """
        if self.cell.backbone is None:
            raise PluginError("this strategy looks through no backbone")
        return self.task.item.output.view(self.session.load(self.cell.backbone.name, self.precision, pretrained))

    def data(self, examples: Examples) -> Data:
        """Returns the examples featurised by the cell's backbone, with a new meter that counts reads."""
        backbone = self.cell.backbone.name if self.cell.backbone else None
        return self.session.data(backbone, self.task.item.output, examples).metered()

    def fit_data(self, seed: int, purpose: FitPurpose = "search", fold: int | None = None) -> FitData:
        """Returns the examples of a seed's fit.

        Args:
            seed: The seed of the fit, which selects the training subset.
            purpose: A final fit may train on the validation split too, as the protocol says.
            fold: With `Protocol.folds`, the number of the fold to validate on, from 0; None otherwise.
        """
        part: Final = "train" if purpose != "final" and fold is None else self.cell.protocol.final
        # Kept in memory, because every trial reads them again.
        if (seed, part, fold) not in self._fit_data:
            self._fit_data[seed, part, fold] = self._new_fit_data(seed, part, fold)
        return self._fit_data[seed, part, fold]

    def _new_fit_data(self, seed: int, part: Final, fold: int | None) -> FitData:
        train, examples = self.train(seed, part), self.splits.subset(seed, self.cell.protocol.amount, part)
        if fold is not None:
            return self._fold(seed, fold, train, examples)
        if part == "train":
            validation = self.validation
            return FitData(train, self.data(validation), examples, validation, part)
        return FitData(train, None, examples, None, part, part)

    def _fold(self, seed: int, fold: int, whole: Data, examples: Examples) -> FitData:
        protocol = self.cell.protocol
        assert protocol.folds is not None
        held_out = self.splits.folds(protocol.folds, seed, protocol.amount)[fold]
        others = sorted({*range(len(examples))}.difference(held_out))
        # The folds share the features of the whole data, so each example is encoded once for all folds and trials.
        return FitData(
            whole.share(others, hidden=True), whole.share(held_out, hidden=True),
            examples.take(others), examples.take(held_out), protocol.final, f"fold {fold}",
        )  # fmt: skip

    def train(self, seed: int, part: Final = "train") -> Data:
        """Returns the featurised training subset of a seed, of train or of train and validation together.

        Where seeds have subsets, features are selected from those of the union of all subsets, which is encoded once.
        """
        amount = self.cell.protocol.amount
        if self.splits.drawn(seed, amount, part) is None:
            data = self.data(self.splits.labelled(part))
        else:
            seeds = self.cell.protocol.seeds
            pool, positions = self.splits.pool(seeds if seed in seeds else (seed,), amount, part)
            data = self.data(pool).share(positions[seed])
        self._trained_on.add(data.fingerprint)
        return data

    def forget_other_training_data(self, seeds: Iterable[int]) -> None:
        """Frees activations of the training data that only other fits than the final ones of these seeds read.

        What the seeds share stays: validation and test data, and features of the union of their training subsets.
        """
        earlier = set(self._trained_on)
        if earlier:
            self._fit_data.clear()
            self._trained_on = {self.train(seed, self.cell.protocol.final).fingerprint for seed in seeds}
            for fingerprint in earlier - self._trained_on:
                self.session.activations.forget(fingerprint)

    def examples(self, seed: int, fit_data: FitData) -> Callable[[SplitName], Examples | None]:
        """Returns the function `Job.examples`, which gives the raw examples of any split except the test split."""

        def get(split: SplitName) -> Examples | None:
            if split == "train":
                return fit_data.train_examples
            if split == "validation":
                return fit_data.validation_examples
            if split == "unlabeled":
                return self.unlabeled(seed, fit_data)
            # The seal: a strategy never gets the test split, however it asks.
            raise SealBroken(f"a strategy asked for the {split} split")

        return get

    def unlabeled(self, seed: int, fit_data: FitData) -> Examples | None:
        """Returns the unlabelled examples of a fit, or None if there are none."""
        return self.splits.unlabeled(seed, self.cell.protocol.amount, fit_data.part)

    def other_backbone(self, name: str) -> LoadedBackbone:
        """Loads another backbone and returns it.

        Raises:
            PluginError: The strategy's `needs()` does not name the backbone.
        """
        self._check_declared("backbone", name)
        session, task = self.session, self.task.item
        found = session.catalog.backbone(name)
        encoder = task.output.view(session.load(found.ref.name, self.precision, pretrained=True).eval())
        return LoadedBackbone(
            encoder,
            lambda examples: session.data(found.ref.name, task.output, examples).metered(),
            lambda: new_head(found.item, task.output, encoder).to(session.device),
            space_about(task, self.cell.protocol, found.item),
        )

    def other_output(self, output: Output, encoder: Encoder | None) -> OtherOutput:
        """Returns how the backbone featurises and predicts for another kind of output.

        Raises:
            PluginError: There is no backbone, or it does not support the output.
        """
        if self.backbone is None or encoder is None:
            raise PluginError("a strategy without a backbone has one output, the task's")
        backbone, read = self.backbone.item, partial(self.session.data, self.backbone.ref.name, output)
        if reason := backbone.supports(output):
            raise PluginError(reason)
        return OtherOutput(
            lambda examples: read(examples).metered(),
            lambda: new_head(backbone, output, encoder).to(self.session.device),
        )

    def other_task(self, name: str, encoder: Encoder | None) -> OtherTask:
        """Returns another task's labelled data, featurised by this cell's backbone.

        Raises:
            PluginError: The strategy's `needs()` does not name the task, the cell has no backbone, or the task is the
                cell's own under another name.
        """
        self._check_declared("task", name)
        if self.backbone is None or encoder is None:
            raise PluginError("another task's data are read by a backbone, and this strategy looks through none")
        backbone, found = self.backbone, self.session.catalog.task(name)
        splits = self.session.splits(found.ref.name)
        if splits.train.fingerprint == self.splits.train.fingerprint:
            raise PluginError(
                f"the strategy reads task:{name}, whose training examples are those of {self.cell.task.name} itself:"
                " they are in job.train, as far as the protocol's train_limit allows"
            )

        read = partial(self.session.data, backbone.ref.name, found.item.output)
        about = space_about(found.item, self.cell.protocol, backbone.item)
        return OtherTask(
            about.task,
            read(splits.train).metered(),
            read(splits.validation).metered(),
            lambda: new_head(backbone.item, found.item.output, encoder).to(self.session.device),
            about,
        )

    def _check_declared(self, kind: str, name: str) -> None:
        # Needs are part of the cell's identity, so reading anything else would give one id to different results.
        declared = {need.name for need in self.cell.needs}
        ref = need_ref(self.session.catalog, f"{kind}:{name}")
        if ref.name not in declared:
            raise PluginError(f"the strategy reads {kind}:{name}, which its needs() do not name")

    def once(self, seed: int, key: str, make: Callable[[], object]) -> tuple[object, bool]:
        """Returns the value of `make` for this cell, seed and key, and whether it was computed by this call."""
        if (seed, key) in self._once_values:
            return self._once_values[seed, key], False
        self._once_values[seed, key] = make()
        return self._once_values[seed, key], True

    def test(self) -> Examples:
        """Returns the test split. Only orders with the purpose `final` or `score` call this.

        Raises:
            PluginError: The split is empty.
        """
        if self._test is None:
            examples = self.task.item.split("test")
            if not examples:
                raise PluginError(f"{self.task.ref.name}: the test split is empty")
            self._test = examples
        return self._test

    def overlap(self) -> dict[str, int]:
        """Returns, by split, how many test examples it contains too; empty before the test split is opened."""
        test = self._test
        if test is None:
            return {}
        others = {f"task:{name}": self.session.splits(name).train for name in self._other_tasks()}
        return overlap(test, self.splits) | {name: count_shown(test, train) for name, train in others.items()}

    def fingerprints(self) -> dict[str, str]:
        """Returns the fingerprint of each split that was used, by the name of the split."""
        if not self._labelled_fingerprints:
            train, validation = self.splits.train, self.splits.validation
            self._labelled_fingerprints = {"train": train.fingerprint, "validation": validation.fingerprint}
        found = dict(self._labelled_fingerprints)
        if self._test is not None:
            # Groups of test examples change intervals, but no prediction and no score.
            found["test"] = self._test.without_groups().fingerprint
        return found | {f"{name} train": self.session.splits(name).train.fingerprint for name in self._other_tasks()}

    def _other_tasks(self) -> list[str]:
        return [need.name.removeprefix("task:") for need in self.cell.needs if need.name.startswith("task:")]

    def provenance(self) -> Provenance:
        """Returns the versions, device, precision, threads and data fingerprints of the cell's fits."""
        found: list[Found[Any]] = [self.task, self.strategy, *([self.backbone] if self.backbone else [])]
        plugins = [(item.distribution, item.version) for item in found]
        data: dict[str, str] = {}
        with suppress(Exception, SystemExit):  # the cell may have failed because its data cannot be read
            data = self.fingerprints()
        here = self.session
        return provenance(plugins, here.device, self.precision, here.threads, data, here.devices)
