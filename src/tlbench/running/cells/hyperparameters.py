"""The search space, defaults and batch size of a cell, as its plugins declare them. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench.catalog.catalog import Catalog, Found
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Provenance
from tlbench.contracts.space import Choice, Space, Value, checked, existing, is_complete, is_fixed, narrow
from tlbench.planning.seen_datasets import seen_datasets
from tlbench.planning.space_context import space_about
from tlbench.running.cells.attempt import OrderDefaults
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.cells.failures import CellFailed
from tlbench.running.search.strategy_definition import Definition, changed_text
from tlbench.running.splits import Splits


@dataclass(frozen=True)
class CellSettings:
    """A cell's search space, defaults and metric, and the number of fits that its strategy runs in one pass."""

    info: TaskInfo
    metric: Metric
    """The task's primary metric."""
    space: Space
    defaults: dict[str, Value]
    batch_size: int
    imports: tuple[str, ...] = ()
    """Modules that are imported when the backbone is loaded and whose import is slow."""
    seen_datasets: tuple[str, ...] = ()
    """The task's data sets that the backbone was trained on."""
    batch_rows: int | None = None
    """The rows that a training step holds in memory; None for a strategy that does not train by batches."""
    divides_batches: bool = False
    """Whether a fit uses all devices of its worker."""

    @property
    def usable_defaults(self) -> dict[str, Value]:
        """The defaults that are still in the space after the suite narrowed it."""
        return {name: value for name, value in self.defaults.items() if _allows(self.space, name, value)}


def settings_of(catalog: Catalog, cell: Cell) -> CellSettings:
    """Returns the settings of a cell.

    Raises:
        PluginError: The strategy's space or defaults, or the backbone's imports, are not what the contract demands.
    """
    strategy = catalog.strategy(cell.strategy.name).item
    backbone = catalog.backbone(cell.backbone.name).item if cell.backbone else None
    about = space_about(catalog.task(cell.task.name).item, cell.protocol, backbone)
    space = strategy.space(about)
    if not isinstance(space, Mapping):
        raise PluginError(f"space() returned {type(space).__name__}, not a dict")
    space, defaults = checked(space), dict(strategy.defaults(about))
    if lacking := [name for name in defaults if name not in space]:
        raise PluginError(f"defaults() names {lacking[0]!r}, which the space lacks")
    imports = backbone.imports if backbone else ()
    if not isinstance(imports, tuple) or not all(isinstance(module, str) for module in imports):
        raise PluginError(
            f"{cell.backbone.name if cell.backbone else ''}: imports is {imports!r}, not a tuple of names"
        )
    settings = CellSettings(
        about.task,
        catalog.metric(about.task.metric),
        narrow(space, cell.space),
        defaults,
        max(1, strategy.batch_size),
        imports,
        seen_datasets(catalog, cell),
        _batch_rows(strategy),
        strategy.why_one_device is None,
    )
    # Evaluated here so that defaults of a wrong type are reported before anything is fitted.
    _ = settings.usable_defaults
    return settings


def only_params(settings: CellSettings, protocol: Protocol) -> dict[str, Value] | None:
    """Returns the params if there is only one choice of them, or None if params have to be sampled or compared.

    Also returns None if final fits train on train and validation together. A trial is then needed even for a single
    choice of params: it gives the validation score, and what strategies choose by validation, such as the best epoch.
    """
    if protocol.trains_on_validation:
        return None
    space = settings.space
    fixed = {name: _fixed_value(domain) for name, domain in space.items() if is_fixed(domain)}
    if len(fixed) == len(space):
        return fixed
    # A strategy that is not searched is fitted with its defaults, if these are complete.
    known = {**settings.usable_defaults, **fixed}
    return None if protocol.is_searched or not is_complete(space, known) else existing(space, known)


def check_definition(
    folder: CellFolder, cell: Cell, catalog: Catalog, settings: CellSettings, starts_over: bool
) -> None:
    """Checks that the strategy is unchanged since the cell's finished fits, and stores its definition in the folder.

    Args:
        folder: The cell's folder.
        cell: The cell.
        catalog: The installed plugins.
        settings: The cell's settings.
        starts_over: Whether to drop the finished fits if the strategy has changed; if not, the cell fails.

    Raises:
        CellFailed: The strategy has changed, and `starts_over` is not set.
    """
    definition = Definition(settings.space, settings.defaults, catalog.code(cell))
    change = definition.change_since(folder.root) if folder.finished() else ""
    if folder.finished() and definition.is_damaged_in(folder.root):
        # Nothing says with which definition the finished fits were made.
        folder.reset()
    if change and not starts_over:
        raise CellFailed("failed", changed_text(cell, change))
    if change:
        folder.reset()
    definition.store(folder.root)


def change_since(folder: Path, cell: Cell, catalog: Catalog) -> str:
    """Returns what has changed in a cell's strategy since the unfinished search in a folder began, as a phrase.

    The phrase, such as "its source", is empty if nothing has changed or the folder has no unfinished search.
    """
    # A plugin that raises here raises again when the cell runs, and is reported then.
    with suppress(Exception, SystemExit):
        if folder.is_dir() and not (folder / "record.json").is_file() and CellFolder(folder).finished():
            settings = settings_of(catalog, cell)
            return Definition(settings.space, settings.defaults, catalog.code(cell)).change_since(folder)
    return ""


def expected_provenance(catalog: Catalog, cell: Cell, defaults: OrderDefaults, precision: str) -> Provenance:
    """Returns the provenance that fits of a cell will have, as far as it can be known without loading a library."""
    found: list[Found[Any]] = [catalog.task(cell.task.name), catalog.strategy(cell.strategy.name)]
    if cell.backbone:
        found.append(catalog.backbone(cell.backbone.name))
    data: dict[str, str] = {}
    with suppress(Exception, SystemExit):  # data that cannot be read are reported by the cell's first fit
        splits = Splits(catalog.task(cell.task.name).item)
        data = {"train": splits.train.fingerprint, "validation": splits.validation.fingerprint}
    versions = {item.distribution: item.version for item in found if item.version}
    code = catalog.code(cell)
    return Provenance(distributions=versions, precision=precision, threads=defaults.threads, data=data, code=code)


def _batch_rows(strategy: object) -> int | None:
    rows = getattr(strategy, "rows_per_step", getattr(strategy, "train_batch_size", None))
    return rows if isinstance(rows, int) and rows > 0 else None


def _fixed_value(domain: object) -> Value:
    return domain.values[0] if isinstance(domain, Choice) else domain.low  # type: ignore[attr-defined]


def _allows(space: Space, name: str, value: Value) -> bool:
    domain = space.get(name)
    if domain is None:
        return False  # the suite has left its parent without the value that it needs
    if isinstance(domain, Choice):
        return value in domain.values
    return not isinstance(value, str) and math.isfinite(value) and domain.low <= value <= domain.high
