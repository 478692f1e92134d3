"""The command that runs a recorded cell again."""

from __future__ import annotations

import shlex

import msgspec

from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.space import Range
from tlbench.results.render.escaping import printable

_OPTIONS = {
    "max_steps": "--max-steps", "epochs": "--epochs", "train_limit": "--train-limit", "shots": "--shots",
    "train_fraction": "--train-fraction", "validation": "--validation", "folds": "--folds", "sampler": "--sampler",
    "pruner": "--pruner", "final": "--final", "precision": "--precision",
}  # fmt: skip
"""The options of `tlbench run` for fields of the protocol."""


def repeat_command(cell: Cell) -> str:
    """Returns a command that runs a cell again, in a folder of its own."""
    parts = ["-t", cell.task.name, *(["-b", cell.backbone.name] if cell.backbone else []), "-S", cell.strategy.name]
    protocol = cell.protocol
    seeds = protocol.seeds
    parts += ["--trials", str(protocol.trials)]
    # One seed needs the comma: "7," is the seed 7, and "7" are seven seeds.
    listed = ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
    parts += ["--seeds", str(len(seeds)) if seeds == tuple(range(len(seeds))) else listed]
    for field, option in _OPTIONS.items():
        value = getattr(protocol, field)
        if value is not None and value != getattr(Protocol(), field):
            parts += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    for name, value in cell.space.items():
        if not isinstance(value, Range | list):
            parts += ["--set", f"{name}={value if isinstance(value, str) else _toml(value)}"]
    return " ".join(["tlbench run", *(shlex.quote(printable(part)) for part in parts), "--no-baseline --out again"])


def narrowed_space(cell: Cell) -> str:
    """Returns the suite's ranges and choices of hyperparameters as lines of TOML, since options cannot express them."""
    narrowed = {name: value for name, value in cell.space.items() if isinstance(value, Range | list)}
    return printable(", ".join(f"{name} = {_toml(value)}" for name, value in msgspec.to_builtins(narrowed).items()))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{name} = {_toml(one)}" for name, one in value.items() if one is not None)
        return f"{{ {inside} }}"
    return msgspec.json.encode(value).decode()
