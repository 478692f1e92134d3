"""Suite files: blocks of backbones x tasks x strategies with a protocol and narrowed spaces, in TOML.

[protocol]
trials = 16
max_steps = 200

[[cells]]
tasks = ["sst2-lite"]
backbones = ["minilm-l6"]
strategies = ["linear-probe", "full-finetune"]

[space.full-finetune]
lr = { low = 1e-5, high = 1e-4 }
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tlbench.contracts.cell import Final, Folds, Fraction, PositiveInt, Precision, Protocol, Pruner, Sampler, Seed, Stop
from tlbench.contracts.errors import SuiteError
from tlbench.contracts.identity.amount import Amount, ValidationAmount
from tlbench.contracts.published.reference import PublishedScore
from tlbench.contracts.space import Override
from tlbench.contracts.untrusted.regular_files import reason_of
from tlbench.contracts.untrusted.settings_files import read_toml
from tlbench.planning.suite_keys import check_keys

Names = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=10_000)]


_AMOUNTS = ("train_limit", "train_fraction", "shots")
"""Fields that say how many training examples a fit may see, of which a protocol has at most one."""
_AXES = ("train_fraction", "shots")
"""Fields that may have several values."""


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of a protocol that a suite, a block or the command line sets; the others are UNSET.

    UNSET and not None, because None is a value: `max_steps` is None in a protocol that counts epochs.
    """

    trials: PositiveInt | UnsetType = UNSET
    seeds: Annotated[int, Meta(ge=1, le=10_000)] | tuple[Seed, ...] | UnsetType = UNSET
    """A list of seeds, or a number n for the seeds 0 to n - 1."""
    max_steps: PositiveInt | UnsetType = UNSET
    epochs: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    train_limit: PositiveInt | UnsetType = UNSET
    train_fraction: Fraction | tuple[Fraction, ...] | UnsetType = UNSET
    """A list makes one protocol for each share."""
    shots: PositiveInt | tuple[PositiveInt, ...] | UnsetType = UNSET
    """A list makes one protocol for each number."""
    validation: ValidationAmount | UnsetType = UNSET
    folds: Folds | UnsetType = UNSET
    final: Final | UnsetType = UNSET
    max_seconds: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    precision: Precision | UnsetType = UNSET
    """Arithmetic of a fit; with "auto", bf16 where the processor or GPU computes in it, else fp32."""
    refit: bool | UnsetType = UNSET
    stop: Stop | UnsetType = UNSET
    sampler: Sampler | UnsetType = UNSET
    """How hyperparameters are sampled: by Optuna's TPE or Gaussian process, at random, or on a grid."""
    pruner: Pruner | UnsetType = UNSET
    lag: PositiveInt | UnsetType = UNSET

    def apply(self, protocol: Protocol) -> list[Protocol]:
        """Returns the protocol with these fields replaced: one for each of several values of `shots` and the like.

        A patch with only `max_steps` or `epochs` unsets the other, as does one with only `train_limit`,
        `train_fraction` or `shots` the other two, and one with `folds` but without `final` sets
        `final` to "train+validation", without which there are no folds.

        Raises:
            ValueError: The result is not a valid protocol.
        """
        changes: dict[str, Any] = {f: v for f in self.__struct_fields__ if (v := getattr(self, f)) is not UNSET}
        if isinstance(changes.get("seeds"), int):
            changes["seeds"] = tuple(range(changes["seeds"]))
        # A suite that counts steps can have a block, or a command line, that counts epochs.
        if "max_steps" in changes and "epochs" not in changes:
            changes["epochs"] = None
        if "epochs" in changes and "max_steps" not in changes:
            changes["max_steps"] = None
        if changes.keys() & _AMOUNTS:
            changes = {**dict.fromkeys(_AMOUNTS), **changes}
        if "folds" in changes:
            changes.setdefault("final", "train+validation")
        fields = {**msgspec.structs.asdict(protocol), **changes}
        several = [[(name, one) for one in values] for name in _AXES if isinstance(values := fields[name], tuple)]
        # Not structs.replace, which would check none of the annotations.
        found = [msgspec.convert({**fields, **dict(chosen)}, Protocol) for chosen in product(*several)]
        # A share of 1 is no limit, so the cell is the same as one without a share.
        return [msgspec.structs.replace(one, train_fraction=one.amount.fraction) for one in found]


class SuiteBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[cells]]` table: every combination of its backbones, tasks and strategies."""

    tasks: Names
    """Names of tasks, your own data among them, such as "csv:reviews.csv"."""
    strategies: Names
    """Names of strategies, with options in brackets."""
    backbones: Names = ()
    """Names of backbones; may be empty if no strategy of the block uses a backbone."""
    protocol: Patch = Patch()
    """Overrides of the suite's protocol."""


class SuiteReference(PublishedScore, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[references]]` table: a published score, and the cells of the suite that repeat its setting.

    Raises:
        ValueError: More than one of `train_limit`, `train_fraction` and `shots` is given; and as `PublishedScore`.
    """

    task: str
    """The task of the cells that repeat the setting."""
    strategy: str
    """Their strategy."""
    backbone: str = ""
    """Empty for a strategy without a backbone."""
    train_limit: PositiveInt | None = None
    """As in the protocol of these cells; at most one of the three."""
    train_fraction: Fraction | None = None
    """Likewise."""
    shots: PositiveInt | None = None
    """Likewise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.amount

    @property
    def amount(self) -> Amount:
        """How many labelled examples the repeating cell sees; its `validation` is not compared."""
        return Amount(self.train_limit, self.shots, self.train_fraction)

    @property
    def score(self) -> PublishedScore:
        """The published score alone."""
        return PublishedScore(**{name: getattr(self, name) for name in PublishedScore.__struct_fields__})


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a suite file; the fields of this class, `SuiteBlock` and `Patch` are the keys of the file."""

    cells: Annotated[tuple[SuiteBlock, ...], Meta(min_length=1)]
    """The blocks, each every combination of its backbones, tasks and strategies."""
    name: str = ""
    """The value of the key `name`, or else the stem of the file's name."""
    description: str = ""
    """What the suite is for, in a sentence; `tlbench list suites` shows it."""
    protocol: Patch = Patch()
    """The budget and rules of all cells; a block may override some."""
    space: dict[str, dict[str, Override]] = {}
    """Fixed or narrowed hyperparameters, by strategy; a name without parameters covers all variants of a strategy."""
    references: tuple[SuiteReference, ...] = ()
    """Published scores to show beside those of the cells that repeat their setting."""

    def protocols_of(self, block: SuiteBlock, last: Patch = Patch()) -> list[Protocol]:  # noqa: B008 - frozen
        """Returns the protocols of a block: one, or one for each value of a field with several.

        Args:
            block: A block of this suite, whose fields override the suite's.
            last: Fields that override those of the block and the suite, such as the fields set by the command line.

        Raises:
            ValueError: The combination is not a valid protocol.
        """
        found = [Protocol()]
        for patch in (self.protocol, block.protocol, last):
            # Several values that a later patch replaces leave equal protocols, of which one is kept.
            found = list(dict.fromkeys(new for one in found for new in patch.apply(one)))
        return found


_KEYS = {
    "": Suite.__struct_fields__,
    "cells": SuiteBlock.__struct_fields__,
    "protocol": Patch.__struct_fields__,
    "references": SuiteReference.__struct_fields__,
}


def read_suite(path: Path) -> Suite:
    """Returns the suite in a TOML file; names of plugins' objects are not looked up yet.

    Raises:
        SuiteError: No such file, not TOML, an unknown key, or a value of the wrong type; the message has the path of
            the key.
    """
    try:
        raw = read_toml(path, links="followed")
    except OSError as error:
        raise SuiteError(f"{path}: {reason_of(error)}") from None
    except ValueError as error:
        raise SuiteError(f"{path}: {error}") from None
    try:
        check_keys(raw, _KEYS)
        _check_space(raw.get("space"))
        suite = msgspec.convert(raw, Suite)
        # Merged only to be checked: each table alone can be valid and their combination not.
        for block in suite.cells:
            suite.protocols_of(block)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise SuiteError(f"{path}: {readable(error)}") from None
    return suite if suite.name else msgspec.structs.replace(suite, name=path.stem)


def _check_space(space: Any) -> None:
    # In its error paths msgspec writes [...] for any key of a dictionary, so each value is converted on its own.
    if not isinstance(space, dict):
        return
    for strategy, domains in space.items():
        for name, domain in domains.items() if isinstance(domains, dict) else ():
            try:
                msgspec.convert(domain, Override)
            except msgspec.ValidationError as error:
                raise ValueError(f"space.{strategy}.{name}: {readable(error)}") from None


def readable(error: Exception) -> str:
    """Returns a validation error as `cells[0].protocol.trials: expected int >= 1`.

    msgspec writes "Expected `int` >= 1 - at `$.cells[0].protocol.trials`".
    """
    text = str(error)
    message, separator, where = text.partition(" - at `")
    message = message.replace("`", "")
    if message.startswith("Object contains unknown field"):
        message = message.replace("Object contains unknown field", "unknown key")
    if not separator:
        return message
    path = where.rstrip("`").removeprefix("$").lstrip(".")
    # A single name is easily written without its list.
    message += '; write it as ["..."]' if message == "Expected array, got str" else ""
    return f"{path}: {message[0].lower()}{message[1:]}" if path else message
