"""A cell is one backbone, task and strategy under one protocol; each cell has one id, one search and one record.

    >>> cell = Cell(Ref("sst2-lite"), Ref("linear-probe"), Protocol(), Ref("minilm-l6"))
    >>> cell.id
    '64642781beb9319c'

There are three nested identities, each of which contains the one before it:

- a *fit* is a backbone, task and strategy with one setting of the params, a seed, a budget and a training subset;
- a *search* adds the sampler, the pruner and the seed at which the search runs;
- a *cell* adds the number of trials and the seeds at which the winner is fitted.

So a cell with more trials or more seeds is a different cell, but it has the same fits and reuses those that are
finished.

Guarantee: an id is a digest of the fields that differ from the frozen table `DEFAULTS`, so adding a field to `Protocol`
changes no existing id. The table's value for a new field must give the behaviour from before the field existed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from tlbench.contracts.identity.amount import Amount, ValidationAmount
from tlbench.contracts.identity.content_names import without_label
from tlbench.contracts.identity.digests import digest, encoded, normalised
from tlbench.contracts.published.reference import Reference
from tlbench.contracts.space import Override, Value

FITS_PREFIX_LENGTH = 6
"""Number of leading hex digits of a cell's id that cells with the same fits share.

A directory listing is therefore enough to look up related cells, without an index. Two unrelated cells may share these
digits by chance: only `fits_id` decides."""
Precision = Literal["auto", "fp32", "bf16-autocast", "bf16-weights"]
Sampler = Literal["tpe", "random", "grid", "gp"]
Pruner = Literal["none", "median", "hyperband", "halving", "halving-rungs", "hyperband-rungs"]
Final = Literal["train", "train+validation"]
Stop = Literal["none", "futility"]
FitPurpose = Literal["search", "final"]
PositiveInt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
Folds = Annotated[int, Meta(ge=2, le=1000)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The budget and the rules of a comparison, which are equal for all strategies.

    Raises:
        ValueError: A seed is repeated, a number is not finite, or two fields contradict each other.
    """

    trials: PositiveInt = 1
    """Number of trials of the search; if it is 1, there is no search. A trial whose setting was tried before is not
    fitted again, and a search that has tried every setting of a finite space ends early."""
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)
    """Seeds of the final fits: the winner of the search is fitted once per seed. The seed also selects the training
    subset (see `train_limit`), which is the same for every strategy."""
    max_steps: PositiveInt | None = None
    """Number of optimiser steps of a gradient-trained fit; None if `epochs` or the strategy determines it."""
    epochs: Annotated[float, Meta(gt=0)] | None = None
    """Number of passes over the training examples in a gradient-trained fit; None if `max_steps` or the strategy
    determines it."""
    train_limit: PositiveInt | None = None
    """Number of training examples that a fit may see; None for all. With `folds` it is the number of examples that are
    divided into folds, and that the winner is fitted on."""
    train_fraction: Fraction | None = None
    """Share of the training examples that a fit may see, drawn like a `train_limit` of as many; None or 1 for all."""
    shots: PositiveInt | None = None
    """Number of training examples of each class that a fit may see, drawn anew by each seed; None for all.

    With folds, `shots` and `train_fraction` are of train and validation together. `data/subsets.py` has the rules."""
    validation: ValidationAmount = "limited"
    """With `shots` or `train_fraction`: whether a trial is validated on as many examples of each class, or on the same
    share, of the validation split, or on the whole split. A `train_limit` leaves the split whole."""
    folds: Folds | None = None
    """Number of folds of the search; None to validate each trial on the task's validation split.

    With k folds, train and validation are divided into k folds, and a trial is fitted k times, each time on all folds
    but one, which it then predicts. The score of the trial is the metric of all these predictions together (Forman &
    Scholz 2010, doi:10.1145/1882471.1882479: a mean of the folds' scores is biased for F1). `final` is then
    "train+validation"."""
    final: Final = "train"
    """The examples on which the winner is fitted: the training split, or train and validation together. With the
    latter, the winner's params are fitted anew at every seed, and these fits have no validation score."""
    max_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Time limit of the whole cell in wall-clock seconds; None for no limit.

    Time counts while at least one worker is busy with the cell; time of several workers is not added up. The search
    ends early enough to leave time for the final fits, and its best trial wins. A cell without a trial with a score by
    then, or whose final fits exceed the limit, is recorded as `timeout`."""
    precision: Precision = "auto"
    refit: bool = False
    """Whether the winner is fitted again at `seeds[0]`, the seed of the search. If False, and `final` is "train",
    the winner's fit from the search is the final fit of that seed."""
    stop: Stop = "none"
    """With "futility", only the first seed is fitted if the winner validates no better than a constant answer."""
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"
    """How unpromising trials are stopped early (`running/search/pruners.py`). With `-rungs`, every trial begins with a
    short fit, and of each rung the best third is fitted again, three times as long (`running/search/rungs.py`)."""
    lag: PositiveInt = 8
    """Delay in trials before a result is used: the params of trial n, and whether it is pruned, depend on the results
    of trials 0 to n - lag only.

    So `lag` trials can be fitted at once, on any number of workers. It grows with pruned trials, which cost less."""

    def __post_init__(self) -> None:
        # The constraints of the annotations are msgspec's and hold for files alone; these hold for every Protocol.
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is repeated")
        for name in ("epochs", "max_seconds"):
            # TOML has inf, which satisfies gt=0.
            if not math.isfinite(getattr(self, name) or 0.0):
                raise ValueError(f"{name} must be finite")
        if self.max_steps is not None and self.epochs is not None:
            raise ValueError("give max_steps or epochs, not both")
        if self.folds is not None and not self.trains_on_validation:
            raise ValueError("folds fit the winner on train and validation: set final to train+validation")
        if self.folds is not None and self.pruner != "none":
            raise ValueError("a pruner stops one fit, and a trial with folds is several: choose pruner or folds")
        amount = self.amount
        if self.trains_on_validation:
            amount.check_with_validation()

    @property
    def amount(self) -> Amount:
        """The amount of labelled data that a fit may see."""
        fraction = None if self.train_fraction == 1 else self.train_fraction
        return Amount(self.train_limit, self.shots, fraction, self.validation, self.folds is not None)

    @property
    def trains_on_validation(self) -> bool:
        """Whether the winner is fitted on train and validation together."""
        return self.final == "train+validation"

    @property
    def refits_winner(self) -> bool:
        """Whether the winner is fitted again at the seed of the search, instead of using its fit from the search."""
        return self.refit or self.trains_on_validation

    @property
    def is_searched(self) -> bool:
        """Whether there is a search, which needs more than one trial."""
        return self.trials > 1

    def of_fit(self, seed: int) -> Protocol:
        """Returns the protocol that a fit may read: fields outside the identity of a fit have their defaults.

        A strategy therefore cannot depend on anything that would make its fit wrong for another cell. The pruner stays,
        since it decides whether a fit reports intermediate scores; reporting changes no weight.
        """
        # `folds` and `final` decide which examples a fit is given, and it sees those alone.
        return msgspec.structs.replace(
            self, trials=1, seeds=(seed,), max_seconds=None, refit=False, sampler="tpe", pruner=self.pruner, lag=8,
            folds=None, final="train", stop="none",
        )  # fmt: skip


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reference to a plugin's backbone, task or strategy: its canonical name and its version number.

    A canonical name includes the parameters and the pinned revision. Ids ignore the labels of files and folders in it.
    """

    name: str
    version: int = 1


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One backbone, task and strategy under one protocol, without measurements: a plan knows the ids of its cells."""

    task: Ref
    strategy: Ref
    protocol: Protocol
    backbone: Ref | None = None
    """None for a strategy that uses no backbone, such as a majority baseline."""
    needs: tuple[Ref, ...] = ()
    """Other backbones and tasks that the strategy reads, named "backbone:x" and "task:x"."""
    space: dict[str, Override] = {}
    """The suite's overrides of the search space, by name of the hyperparameter; empty if the suite changes nothing."""

    @property
    def id(self) -> str:
        """An identifier of sixteen hex digits; cells with the same fits share the first `FITS_PREFIX_LENGTH` digits."""
        # Two digests, so that the beginning depends on the fits alone.
        fits = self._fit_fields()
        everything = fits + _changed_fields(self.protocol, "search") + _changed_fields(self.protocol, "cell")
        return digest(fits)[:FITS_PREFIX_LENGTH] + digest(everything)[: 16 - FITS_PREFIX_LENGTH]

    @property
    def fits_id(self) -> str:
        """An identifier of sixteen hex digits, equal for cells whose fits differ at most in params and seed."""
        return digest(self._fit_fields())

    @property
    def search_id(self) -> str:
        """An identifier of sixteen hex digits, equal for cells whose searches try the same settings in the same order.

        The sampler is seeded with it. The number of trials is not part of it, so the first 16 trials of a search of 32
        are the same as the trials of a search of 16. Exceptions are the grid sampler and pruners by rungs: a grid, and
        the lengths of fits, depend on the number of trials.
        """
        return digest(self._fit_fields() + _changed_fields(self.protocol, "search") + encoded(self.protocol.seeds[0]))

    def fit_id(self, params: Mapping[str, Value], seed: int, purpose: FitPurpose = "search") -> str:
        """Returns an identifier of sixteen hex digits, equal for the same fit in two cells.

        One of these cells can therefore reuse the result of the other. The purpose matters only if the final fits have
        other training data than those of the search.
        """
        fit: list[Any] = [normalised(dict(params)), seed]
        if purpose == "final" and self.protocol.trains_on_validation:
            fit.append(self.protocol.final)
        return digest(self._fit_fields() + encoded(fit))

    def _fit_fields(self) -> bytes:
        # Empty fields are left out, like a protocol's defaults: a field that is added later must not change old ids.
        fields: dict[str, Any] = {"task": _ref_key(self.task), "strategy": _ref_key(self.strategy)}
        if self.backbone is not None:
            fields["backbone"] = _ref_key(self.backbone)
        if self.needs:
            fields["needs"] = [_ref_key(need) for need in self.needs]
        if self.space:
            fields["space"] = {name: normalised(override) for name, override in self.space.items()}
        return encoded(fields) + _changed_fields(self.protocol, "fit")

    @property
    def title(self) -> str:
        """The text "backbone | task | strategy", for messages and tables."""
        backbone = self.backbone.name if self.backbone else "-"
        return f"{backbone} | {self.task.name} | {self.strategy.name}"


Part = Literal["fit", "search", "cell", "limit"]
"""The smallest identity (fit, search or cell) that a field of the protocol belongs to. A `limit` belongs to none,
because it can only stop a cell early and changes no result."""


class Default(NamedTuple):
    """The value at which a field of the protocol is omitted from ids, and the identity that the field belongs to."""

    value: Any
    part: Part


DEFAULTS: dict[str, Default] = {
    "trials": Default(1, "cell"),
    "seeds": Default((0,), "cell"),
    "max_steps": Default(None, "fit"),
    "epochs": Default(None, "fit"),
    "train_limit": Default(None, "fit"),
    "train_fraction": Default(None, "fit"),
    "shots": Default(None, "fit"),
    "validation": Default("limited", "fit"),
    "folds": Default(None, "fit"),
    "final": Default("train", "cell"),
    # A cell that runs out of time is recorded with its limit, and run again by a run with a higher limit.
    "max_seconds": Default(None, "limit"),
    "precision": Default("auto", "fit"),
    "refit": Default(False, "cell"),
    "stop": Default("none", "cell"),
    "sampler": Default("tpe", "search"),
    "pruner": Default("none", "search"),
    "lag": Default(8, "search"),
}
"""One row per field of `Protocol`. Rows may be added but never changed, even if the default in `Protocol` changes.

A field that changes which examples are trained on belongs to the fit; for `final` see `Cell.fit_id`.
"""


# Cached: a plan may have a hundred thousand cells, but it has only a few protocols and names.
@lru_cache(maxsize=4096)
def _changed_fields(protocol: Protocol, part: Part) -> bytes:
    """Returns as JSON those fields of one identity whose values differ from `DEFAULTS`."""
    if part == "search" and not protocol.is_searched:
        # With one setting the sampler and the pruner have no effect, so they must not make another cell.
        return encoded({})
    # `refit` has no effect if the winner is always fitted again, and `stop` has none if there is only one seed.
    no_effect = {
        "refit": protocol.trains_on_validation,
        "stop": len(protocol.seeds) == 1,
        "train_fraction": protocol.amount.fraction is None,
        "validation": not msgspec.structs.replace(protocol, validation="limited").amount.limits_validation,
    }
    names = [name for name, default in DEFAULTS.items() if default.part == part and not no_effect.get(name)]
    values = {name: getattr(protocol, name) for name in names}
    return encoded({name: normalised(value) for name, value in values.items() if value != DEFAULTS[name].value})


@lru_cache(maxsize=65536)
def _ref_key(ref: Ref) -> str | list[str | int]:
    # Version 1 is left out, so that an object that has never changed has a name alone as its key.
    return without_label(ref.name) if ref.version == 1 else [without_label(ref.name), ref.version]


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A combination of backbone, task and strategy that cannot be run, and the reason."""

    title: str
    reason: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cells of a run in the order in which they are fitted, skipped combinations, and published scores of cells."""

    suite: str
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = ()
    references: tuple[Reference, ...] = ()
