"""A cell: one backbone, task and strategy under a protocol; and what makes two cells, searches or fits the same.

An id is a digest of what differs from `DEFAULTS`, a table that is never changed but by adding a row. So a new field
leaves every id, and with it every record, as it is: its row holds the value that does what was done before.

There are three identities, each with all of the one before it:

- a *fit* is a backbone, task and strategy with one setting of the hyperparameters, a seed, a budget, a training subset;
- a *search* adds how settings are drawn and compared, and the seed that it runs at;
- a *cell* adds how many settings are tried and at which seeds the winner is fitted.

A cell with more trials or more seeds is another cell with the same fits, and takes over those that are finished.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from tlbench.contracts.space import Override, Value

KIN = 6
"""Hex digits at the beginning of a cell's id that are equal for cells with the same fits, so that a list of ids says
where to look for them. They may be equal by chance: `fits_id` is what decides."""
Precision = Literal["auto", "fp32", "bf16-autocast", "bf16-weights"]
Sampler = Literal["tpe", "random", "grid", "gp"]
Pruner = Literal["none", "median", "hyperband", "halving"]
PositiveInt = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is held equal between strategies.

    Raises:
        ValueError: No seeds, a seed twice, or both `max_steps` and `epochs`.
    """

    trials: PositiveInt = 1
    """How many settings the study tries in total; one is "not searched"."""
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)
    """The winner is fitted once for each; seed s draws training subset s, the same for every strategy."""
    max_steps: PositiveInt | None = None
    """Optimiser steps of a gradient-trained fit."""
    epochs: Annotated[float, Meta(gt=0)] | None = None
    """Passes over the training examples of a gradient-trained fit."""
    train_limit: PositiveInt | None = None
    """How many training examples a fit may see; None for all."""
    max_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Wall-clock time of the whole cell, after which it is stopped and recorded as `timeout`."""
    precision: Precision = "auto"
    refit: bool = False
    """False: the search runs at `seeds[0]` and the winner's own fit counts as that seed's."""
    sampler: Sampler = "tpe"
    pruner: Pruner = "none"
    lag: PositiveInt = 8
    """Trial n of a search is drawn from what trials 0 to n - lag gave, and so is when to stop it; as many trials are
    fitted at the same time, and all draws are the same on any number of workers. Twice the workers keeps them busy.
    Where trials are pruned it is counted in whole fits, and so is up to three times as many trials."""

    def __post_init__(self) -> None:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed stands twice")
        for name in ("epochs", "max_seconds"):
            if not math.isfinite(getattr(self, name) or 0.0):
                raise ValueError(f"{name} must be finite")
        if self.max_steps is not None and self.epochs is not None:
            raise ValueError("give max_steps or epochs, not both")

    @property
    def is_searched(self) -> bool:
        """Whether several settings are compared."""
        return self.trials > 1

    def of_fit(self, seed: int) -> Protocol:
        """Returns the protocol as a fit may know it: without what does not belong to the identity of a fit.

        The pruner stays, since it says whether a fit is to report; reporting changes no weight.
        """
        return msgspec.structs.replace(
            self, trials=1, seeds=(seed,), max_seconds=None, refit=False, sampler="tpe", pruner=self.pruner, lag=8
        )


class Ref(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's object: its canonical name with its parameters and pinned revision, and its own version."""

    name: str
    version: int = 1


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The unit of identity, of search and of record. Nothing measured is in it."""

    task: Ref
    strategy: Ref
    protocol: Protocol
    backbone: Ref | None = None
    """None for a strategy that looks through no backbone."""
    needs: tuple[Ref, ...] = ()
    space: dict[str, Override] = {}
    """The suite's fixed and narrowed hyperparameters."""

    @property
    def id(self) -> str:
        """Sixteen hex digits; the first six (`KIN`) are those of every cell with the same fits."""
        fits = self._fits()
        whole = fits + _part(self.protocol, "search") + _part(self.protocol, "cell")
        return _digest(fits)[:KIN] + _digest(whole)[: 16 - KIN]

    @property
    def fits_id(self) -> str:
        """Sixteen hex digits, equal for cells that differ in nothing that a fit depends on but params and seed."""
        return _digest(self._fits())

    @property
    def search_id(self) -> str:
        """Sixteen hex digits, equal for cells whose searches go the same way, however far.

        A study's suggestions are drawn from it: the first 16 of 32 trials are those of 16. Not so for a grid, whose
        points lie the closer the more there are.
        """
        return _digest(self._fits() + _part(self.protocol, "search") + _encoded(self.protocol.seeds[0]))

    def fit_id(self, params: Mapping[str, Value], seed: int) -> str:
        """Returns sixteen hex digits, equal for fits that are the same: what one cell has fitted serves another."""
        return _digest(self._fits() + _encoded([_plain(dict(params)), seed]))

    def _fits(self) -> bytes:
        known: dict[str, Any] = {"task": _named(self.task), "strategy": _named(self.strategy)}
        if self.backbone is not None:
            known["backbone"] = _named(self.backbone)
        if self.needs:
            known["needs"] = [_named(need) for need in self.needs]
        if self.space:
            known["space"] = {name: _plain(override) for name, override in self.space.items()}
        return _encoded(known) + _part(self.protocol, "fit")

    @property
    def title(self) -> str:
        """Returns "backbone | task | strategy" for people."""
        backbone = self.backbone.name if self.backbone else "-"
        return f"{backbone} | {self.task.name} | {self.strategy.name}"


Part = Literal["fit", "search", "cell", "limit"]
"""The smallest identity that a field belongs to; a `limit` can only stop work, and belongs to none."""


class Default(NamedTuple):
    """The value that a field of the protocol is left out of an id with, and the identity it belongs to."""

    value: Any
    part: Part


DEFAULTS: dict[str, Default] = {
    "trials": Default(1, "cell"),
    "seeds": Default((0,), "cell"),
    "max_steps": Default(None, "fit"),
    "epochs": Default(None, "fit"),
    "train_limit": Default(None, "fit"),
    "max_seconds": Default(None, "limit"),
    "precision": Default("auto", "fit"),
    "refit": Default(False, "cell"),
    "sampler": Default("tpe", "search"),
    "pruner": Default("none", "search"),
    "lag": Default(8, "search"),
}
"""Every field of `Protocol`, once and for all: a row may be added, and none changed, even if a field's own default is.

What draws the training examples differently (shots, groups, folds) will be of the fit; training the winner on
validation too is of the cell, and of the identity of its final fits where it is done.
"""


@lru_cache(maxsize=4096)
def _part(protocol: Protocol, part: Part) -> bytes:
    """Returns those fields of one identity that differ from the table, as JSON."""
    if part == "search" and not protocol.is_searched:
        # Nothing is drawn or compared.
        return _encoded({})
    values = {name: getattr(protocol, name) for name, default in DEFAULTS.items() if default.part == part}
    return _encoded({name: _plain(value) for name, value in values.items() if value != DEFAULTS[name].value})


@lru_cache(maxsize=65536)
def _named(ref: Ref) -> str | list[str | int]:
    return ref.name if ref.version == 1 else [ref.name, ref.version]


def _plain(value: Any) -> Any:
    """Returns a value in the one form of all those that mean the same: 1.0 as 1, [x] as x, no empty ends of a range."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(part) for name, part in msgspec.structs.asdict(value).items() if part is not None}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value] if len(value) != 1 else _plain(value[0])
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


_encoded = msgspec.json.Encoder(order="deterministic").encode


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A combination that cannot be run, and why."""

    title: str
    reason: str


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run will do, in the order to do it."""

    suite: str
    cells: tuple[Cell, ...]
    skips: tuple[Skip, ...] = ()
