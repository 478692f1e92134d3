"""The keyword arguments of the API's functions, checked and turned into the values that runs and searches take."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypedDict, TypeVar, get_args

import msgspec

from tlbench.catalog.names import nearest
from tlbench.contracts.cell import Final, PositiveInt, Precision, Pruner, Sampler
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import KeepModels
from tlbench.contracts.identity.amount import ValidationAmount
from tlbench.contracts.record import Status
from tlbench.planning.selection import Selection
from tlbench.planning.settings import read_settings
from tlbench.planning.suite import Patch, readable
from tlbench.running.run import Fresh

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
_EXCLUSIVE = (("max_steps", "epochs"), ("train_limit", "train_fraction", "shots"))
"""Fields of the protocol of which at most one may be given."""

_NAMED = ("tasks", "backbones", "strategies", "out", "trials", "seeds", "minutes", "progress")
"""Arguments that the functions name themselves."""


class RunOptions(TypedDict, total=False):
    """The further keyword arguments of `tlbench.run`; those that are None or left out keep the suite's values."""

    sampler: Sampler | None
    pruner: Pruner | None
    max_steps: int | None
    epochs: float | None
    train_limit: int | None
    train_fraction: float | Sequence[float] | None
    shots: int | Sequence[int] | None
    validation: ValidationAmount | None
    folds: int | None
    final: Final | None
    max_seconds: float | None
    precision: Precision | None
    settings: Mapping[str, Any] | None
    like: str | None
    baselines: bool | None
    executor: str | None
    jobs: int | None
    device: str | None
    devices: int | None
    max_memory: str | None
    fresh: Fresh | None
    retry: str | Sequence[str] | None
    keep_models: KeepModels | None


class FindOptions(TypedDict, total=False):
    """The further keyword arguments of `tlbench.find`; None means the default."""

    policy: str | None
    until: str | None
    max_parameters: int | None
    max_latency_ms: float | None
    licences: str | Sequence[str] | None
    max_steps: int | None
    train_limit: int | None
    precision: Precision | None
    seed: int | None
    executor: str | None
    jobs: int | None
    device: str | None
    max_memory: str | None
    fresh: bool | None


class WhereToRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments that say where fits run; they change no result's identity."""

    executor: str = "isolated"
    jobs: PositiveInt | None = None
    device: str = "auto"
    devices: PositiveInt = 1
    max_memory: str | None = None


class RunChoices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of a run that are neither its protocol nor say where it runs."""

    settings: dict[str, Any] = {}
    like: str | None = None
    baselines: bool = True
    fresh: Fresh = "none"
    retry: str | tuple[str, ...] = ()
    keep_models: KeepModels = "none"


def short_mistakes(function: Callable[P, T]) -> Callable[P, T]:
    """Returns a function whose UsageErrors come without the frames inside it, which say nothing about the mistake."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except UsageError as error:
            raise error.with_traceback(None) from None

    return called


def given(options: Mapping[str, Any], known: type, function: str) -> dict[str, Any]:
    """Returns the options that are not None.

    Raises:
        UsageError: An option is not one of the annotations of the class `known`.
    """
    for name in options:
        if name not in known.__annotations__:
            like = nearest(name, (*known.__annotations__, *_NAMED))
            raise UsageError(f"{function}: no argument is called {name}{like}")
    return {name: value for name, value in options.items() if value is not None}


def converted(values: Mapping[str, Any], type_: type[S], function: str) -> S:
    """Returns the values that belong to a type, as the type.

    Raises:
        UsageError: A value has the wrong type, or is out of range.
    """
    fields = {field.name for field in msgspec.structs.fields(type_)}
    mine = {name: value for name, value in values.items() if name in fields}
    for name, value in mine.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{function}: {name}: expected a finite number, got {value}")
    try:
        return msgspec.convert(mine, type_)
    except msgspec.ValidationError as error:
        raise UsageError(f"{function}: {readable(error)}") from None


def names(value: str | Sequence[str] | None, argument: str, function: str) -> tuple[str, ...]:
    """Returns one name or several as a tuple.

    Raises:
        UsageError: They are not names.
    """
    several = (value,) if isinstance(value, str) else () if value is None else value
    found = tuple(several) if isinstance(several, Iterable) else (value,)
    if not all(isinstance(one, str) and one for one in found):
        raise UsageError(f"{function}: {argument}: expected a name or a list of names, got {value!r}")
    return found


def retried(names: Sequence[str], source: str) -> tuple[Status, ...]:
    """Returns the statuses of cells to run again, from names that may be joined by commas.

    Raises:
        UsageError: A name is no status of a cell without a score.
    """
    known: dict[str, Status] = {status: status for status in get_args(Status) if status != "ok"}
    found = [name.strip() for text in names for name in text.split(",")]
    for name in found:
        if name not in known:
            raise UsageError(f"{source}{name}: no status of a cell without a score; give {', '.join(known)}")
    return tuple(known[name] for name in found)


def protocol_of(values: Mapping[str, Any], function: str) -> Patch:
    """Returns the fields of the protocol that the arguments set.

    Raises:
        UsageError: A value cannot be used, or two exclude each other.
    """
    for group in _EXCLUSIVE:
        if len(both := [name for name in group if name in values]) > 1:
            raise UsageError(f"{function}: give one of {' and '.join(both)}")
    return converted({name: _plain(value) for name, value in values.items()}, Patch, function)


def selection_of(axes: Mapping[str, tuple[str, ...]], patch: Patch, choices: RunChoices) -> Selection:
    """Returns the selection of names, protocol and settings.

    Raises:
        UsageError: The name of a setting cannot be used.
    """
    texts = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in choices.settings.items()
    ]
    return Selection(
        axes["backbones"],
        axes["tasks"],
        axes["strategies"],
        patch,
        choices.like,
        choices.baselines,
        read_settings(texts),
    )


def _plain(value: Any) -> Any:
    """Returns a range or another sequence of numbers as a tuple, in which form msgspec knows it."""
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
