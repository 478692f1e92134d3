"""A suite: blocks of backbones x tasks x strategies, with a protocol and narrowed spaces, read strictly from TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tlbench.contracts.cell import PositiveInt, Precision, Protocol, Pruner, Sampler, Seed
from tlbench.contracts.errors import SuiteError
from tlbench.contracts.space import Override

Names = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=10_000)]


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Those fields of a protocol that a suite, a block or the command line sets; the others stay as they were."""

    trials: PositiveInt | UnsetType = UNSET
    seeds: Annotated[int, Meta(ge=1, le=10_000)] | tuple[Seed, ...] | UnsetType = UNSET
    """A number n stands for the seeds 0 to n - 1."""
    max_steps: PositiveInt | UnsetType = UNSET
    epochs: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    train_limit: PositiveInt | UnsetType = UNSET
    max_seconds: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    precision: Precision | UnsetType = UNSET
    refit: bool | UnsetType = UNSET
    sampler: Sampler | UnsetType = UNSET
    pruner: Pruner | UnsetType = UNSET
    lag: PositiveInt | UnsetType = UNSET

    def apply(self, protocol: Protocol) -> Protocol:
        """Returns the protocol with these fields replaced; steps replace epochs, and epochs steps.

        Raises:
            ValueError: The result is no protocol.
        """
        changes: dict[str, Any] = {f: v for f in self.__struct_fields__ if (v := getattr(self, f)) is not UNSET}
        if isinstance(changes.get("seeds"), int):
            changes["seeds"] = tuple(range(changes["seeds"]))
        if "max_steps" in changes and "epochs" not in changes:
            changes["epochs"] = None
        if "epochs" in changes and "max_steps" not in changes:
            changes["max_steps"] = None
        fields = {**msgspec.structs.asdict(protocol), **changes}
        return msgspec.convert(fields, Protocol)


class SuiteBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cross-product of a suite, with its own overrides of the suite's protocol."""

    tasks: Names
    strategies: Names
    backbones: Names = ()
    """May be empty where no strategy of the block looks through a backbone."""
    protocol: Patch = Patch()


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a suite file says."""

    cells: Annotated[tuple[SuiteBlock, ...], Meta(min_length=1)]
    name: str = ""
    """As the file's stem where the file does not say."""
    description: str = ""
    protocol: Patch = Patch()
    space: dict[str, dict[str, Override]] = {}
    """By strategy, with or without its parameters: fixed or narrowed hyperparameters."""

    def protocol_of(self, block: SuiteBlock, last: Patch = Patch()) -> Protocol:  # noqa: B008 - frozen
        """Returns the protocol of a block: the suite's, the block's overrides, then `last`."""
        return last.apply(block.protocol.apply(self.protocol.apply(Protocol())))


def read_suite(path: Path) -> Suite:
    """Returns the suite in a TOML file.

    Raises:
        SuiteError: Not a file, not TOML, an unknown key, or a value of the wrong type; one line with its path.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SuiteError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SuiteError(f"{path}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise SuiteError(f"{path}: nested too deeply") from None
    try:
        _check_space(raw.get("space"))
        suite = msgspec.convert(raw, Suite)
        for block in suite.cells:
            suite.protocol_of(block)
    except (msgspec.ValidationError, ValueError) as error:
        raise SuiteError(f"{path}: {readable(error)}") from None
    return suite if suite.name else msgspec.structs.replace(suite, name=path.stem)


def _check_space(space: Any) -> None:
    # msgspec names no dictionary key in its paths, so each is looked at alone.
    if not isinstance(space, dict):
        return
    for strategy, domains in space.items():
        for name, domain in domains.items() if isinstance(domains, dict) else ():
            try:
                msgspec.convert(domain, Override)
            except msgspec.ValidationError as error:
                raise ValueError(f"space.{strategy}.{name}: {readable(error)}") from None


def readable(error: Exception) -> str:
    """Returns a validation error as `cells[0].protocol.trials: expected int >= 1`."""
    text = str(error)
    message, separator, where = text.partition(" - at `")
    message = message.replace("`", "")
    if message.startswith("Object contains unknown field"):
        message = message.replace("Object contains unknown field", "unknown key")
    if not separator:
        return message
    path = where.rstrip("`").removeprefix("$").lstrip(".")
    return f"{path}: {message[0].lower()}{message[1:]}" if path else message
