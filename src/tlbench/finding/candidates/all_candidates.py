"""All candidates of a search: each backbone with each strategy that supports the task, and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tlbench.catalog.catalog import Catalog, Found
from tlbench.catalog.strategy_families import family_of
from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.policies.policy import Candidate, Role
from tlbench.contracts.resources import Trainable
from tlbench.contracts.space import Value
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task
from tlbench.finding.candidates.backbone_choice import NONE, BackboneChoice, Excluded, choose_backbones
from tlbench.finding.candidates.default_strategies import PROBES, default_strategies
from tlbench.finding.candidates.first_params import cell_of, first_params
from tlbench.finding.request import FindRequest
from tlbench.planning.baselines import baseline_blocks
from tlbench.planning.capacity import Room
from tlbench.planning.plan import plan
from tlbench.planning.suite import Patch, Suite, SuiteBlock
from tlbench.running.cells.hyperparameters import settings_of

_SET = ("max_steps", "train_limit", "train_fraction", "precision")
"""The fields of the protocol that a search may set."""


@dataclass(frozen=True)
class Entry:
    """A candidate with what the search knows of it and its policy need not."""

    candidate: Candidate
    cell: Cell
    """The cell without any hyperparameter fixed."""
    strategy: Strategy
    backbone: Backbone | None
    imports: tuple[str, ...] = ()
    """Modules of the backbone that are slow to import."""

    # Costs are asked for thousands of times, and a card is read from files.
    @cached_property
    def card(self) -> Card:
        """The backbone's card; an empty one without a backbone."""
        return self.backbone.card() if self.backbone else Card()

    @cached_property
    def trainable(self) -> Trainable:
        """What the strategy trains of the backbone; nothing without one."""
        return Trainable(0) if self.backbone is None else self.strategy.trainable(self.backbone)

    @property
    def title(self) -> str:
        """The names of backbone and strategy."""
        return " | ".join(name for name in (self.candidate.backbone, self.candidate.strategy) if name)

    def fixed(self, params: Mapping[str, Value], seeds: tuple[int, ...] = (0,)) -> Cell:
        """Returns the cell of one setting of the hyperparameters."""
        return cell_of(self.cell, params, seeds)


@dataclass(frozen=True)
class Candidates:
    """The candidates of a search, and what was left out."""

    entries: tuple[Entry, ...]
    excluded: tuple[Excluded, ...]


def all_candidates(
    request: FindRequest,
    task: Found[Task],
    protocol: Protocol,
    catalog: Catalog,
    room: Room | None,
    refused: Mapping[str, str] = NONE,
) -> Candidates:
    """Returns the candidates of a request, baselines first, in an order that depends on names alone.

    Args:
        request: What was asked.
        task: The task.
        protocol: The protocol of all fits.
        catalog: The installed plugins.
        room: The memory of a worker; None for no limit.
        refused: Reasons against backbones that the request alone does not give, by canonical name.

    Raises:
        UsageError: A name is unknown, or no combination of a backbone and a strategy can be fitted.
    """
    chosen = choose_backbones(request, task.item.modality, catalog, refused)
    items = [catalog.backbone(name).item for name in chosen.names]
    strategies = request.strategies or default_strategies(catalog, task.item, items)
    if not strategies:
        raise UsageError(f"{task.ref.name}: no installed strategy supports it; name one with --strategy")
    entries, excluded = _entries(strategies, chosen, task, protocol, catalog, room)
    if not any(entry.candidate.role != "baseline" for entry in entries):
        reasons = "; ".join(f"{one.title}: {one.reason}" for one in excluded[:3])
        raise UsageError(f"{task.ref.name}: no backbone with a strategy is left to try ({reasons})")
    return Candidates(tuple(entries), (*chosen.excluded, *excluded))


def _entries(
    strategies: tuple[str, ...],
    chosen: BackboneChoice,
    task: Found[Task],
    protocol: Protocol,
    catalog: Catalog,
    room: Room | None,
) -> tuple[list[Entry], list[Excluded]]:
    name = task.ref.name
    block = SuiteBlock(tasks=(name,), strategies=strategies, backbones=chosen.names)
    plain = Protocol()
    changed = {name: value for name in _SET if (value := getattr(protocol, name)) != getattr(plain, name)}
    suite = Suite((block, *baseline_blocks(catalog, [name])), name="find", protocol=Patch(**changed))
    planned = plan(suite, catalog, room=room)
    excluded = [Excluded(_title(skip.title), skip.reason) for skip in planned.skips]
    entries: list[Entry] = []
    # First what needs nothing but labels, for an answer however little time there is.
    order = {cell.id: (bool(cell.backbone), not _knows_nothing(catalog, cell)) for cell in planned.cells}
    for cell in sorted(planned.cells, key=lambda one: order[one.id]):
        try:
            entries.append(_entry(len(entries), cell, catalog))
        except PluginError as error:
            excluded.append(Excluded(_title(cell.title), str(error)))
        except (Exception, SystemExit) as error:
            excluded.append(Excluded(_title(cell.title), f"{type(error).__name__}: {error}"))
    return entries, excluded


def _entry(number: int, cell: Cell, catalog: Catalog) -> Entry:
    strategy = catalog.strategy(cell.strategy.name).item
    backbone = catalog.backbone(cell.backbone.name).item if cell.backbone else None
    settings = settings_of(catalog, cell)
    role: Role = "adaptation"
    if backbone is None:
        role = "baseline"
    elif family_of(strategy) == PROBES:
        role = "probe"
    candidate = Candidate(
        number,
        cell.strategy.name,
        cell.backbone.name if cell.backbone else "",
        role,
        family_of(strategy),
        (backbone.card().parameters or 0) if backbone else 0,
        settings.space,
        first_params(
            settings.space, settings.usable_defaults, cell.protocol.max_steps if role == "adaptation" else None
        ),
    )
    return Entry(candidate, cell, strategy, backbone, settings.imports)


def _knows_nothing(catalog: Catalog, cell: Cell) -> bool:
    return catalog.strategy(cell.strategy.name).item.knows_nothing


def _title(title: str) -> str:
    """Returns the title of a cell without the task, which is the same for all candidates."""
    backbone, _, strategy = title.split(" | ", 2) if title.count(" | ") >= 2 else (title, "", "")
    return " | ".join(part for part in (backbone, strategy) if part and part != "-")
