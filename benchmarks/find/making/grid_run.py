"""Makes what is missing of the grid, one fit after another, and writes each task's files when it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.find.grid_files import write_grid
from benchmarks.find.making.assembly import assembled
from benchmarks.find.making.bill import Bill, Encoded, backbone_seconds, fit_seconds
from benchmarks.find.making.candidates import Choices, candidates_of, cell_of, grid_catalog
from benchmarks.find.making.fit_pieces import Pieces, RowCounts
from benchmarks.find.making.grid_data import PREFIX, GridData
from benchmarks.find.making.grid_worker import GridWorker
from benchmarks.find.making.progress_lines import ProgressLines
from benchmarks.find.making.task_plan import ROWS, TaskPlan, backbone_name
from tlbench import Protocol
from tlbench.system.measure import cpu_name, provenance


@dataclass(frozen=True)
class GridSettings:
    """What is made, and where."""

    data: Sequence[GridData]
    raw: Path
    """The folder of the pieces."""
    out: Path
    """The folder of the grid's files."""
    steps: int = 100
    choices: Choices = field(default_factory=Choices)


class GridRun:
    """All fits of the grid, made and missing."""

    def __init__(self, settings: GridSettings) -> None:
        """Plans the fits; loads no model.

        Raises:
            UsageError: The folder of pieces has those of another grid, or a name is unknown.
        """
        self._settings = settings
        self._catalog = grid_catalog(settings.data)
        self._worker = GridWorker(self._catalog)
        pieces, protocol = Pieces(settings.raw), Protocol(max_steps=settings.steps, precision="fp32")
        pieces.check_definition({data.name: f"{data}, {settings.steps} steps" for data in settings.data})
        self._plans: list[TaskPlan] = []
        for data in settings.data:
            task = self._catalog.task(f"{PREFIX}{data.name}").item
            candidates = tuple(candidates_of(self._catalog, data, protocol, settings.choices))
            cells = tuple(cell_of(self._catalog, data, candidate, protocol) for candidate in candidates)
            self._plans.append(TaskPlan(data.name, task, candidates, cells, pieces))

    @property
    def count(self) -> int:
        """The number of all fits, made or not."""
        return sum(plan.count for plan in self._plans)

    def bill(self) -> Bill:
        """Returns the fits that are left with their processor seconds; encodes some rows where a speed is unknown."""
        bill = Bill()
        for plan in self._plans:
            for backbone, numbers in plan.by_backbone().items():
                left = {number: plan.left(number) for number in numbers}
                if any(left.values()):
                    bill.add(plan.name, backbone, sum(left.values()), self._estimate(plan, backbone, left))
        return bill

    def make(self, lines: ProgressLines) -> None:
        """Makes every missing piece, writes the files of each task that is complete, and says so line by line."""
        for plan in self._plans:
            for backbone, numbers in plan.by_backbone().items():
                if backbone and plan.backbone(backbone) is None:
                    measured = self._worker.backbone(plan.cells[numbers[0]])
                    plan.pieces.write(plan.name, backbone_name(backbone), measured)
                    lines.measured(plan.name, backbone, measured)
                for number in numbers:
                    for key in plan.keys(number):
                        if plan.fit(key) is None:
                            piece = self._worker.fit(plan.cells[number], plan.params(key), key[2])
                            plan.pieces.write(plan.name, plan.fit_name(key), piece)
                            lines.fitted(plan.name, backbone, piece)
            self._write(plan)
            lines.say(f"{plan.name}: complete, in {self._settings.out}")

    def failures(self) -> list[str]:
        """Returns a line for each fit that failed by an error that is not an answer, such as a fault of a plugin."""
        lines = []
        for plan in self._plans:
            for key, piece in plan.made().items():
                if piece.status in {"failed", "oom"}:
                    path = plan.pieces.path(plan.name, plan.fit_name(key))
                    lines.append(f"{piece.title}: {piece.reason} (traceback in {path}; delete it to repeat the fit)")
        return lines

    def _estimate(self, plan: TaskPlan, backbone: str, left: dict[int, int]) -> float:
        """Returns the processor seconds of the fits that are left, by number of the candidate."""
        encoded, item, total = None, None, 0.0
        rows = self._rows(plan)
        if backbone:
            item = self._catalog.backbone(backbone).item
            encoded = Encoded(*self._worker.forward_seconds(plan.cells[next(iter(left))]))
            total += backbone_seconds(encoded, rows)
        for number, fits in left.items():
            strategy = self._catalog.strategy(plan.candidates[number].strategy).item
            total += fits * fit_seconds(strategy, item, encoded, rows, self._settings.steps)
        return total

    def _rows(self, plan: TaskPlan) -> RowCounts:
        rows = plan.rows()
        if rows is None:
            rows = self._worker.rows(plan.cells[0])
            plan.pieces.write(plan.name, ROWS, rows)
        return rows

    def _write(self, plan: TaskPlan) -> None:
        backbones = {name: found for name in plan.by_backbone() if (found := plan.backbone(name)) is not None}
        versions = provenance((), self._worker.device, "fp32", 1, {}).distributions
        made_with = {**versions, "processor": cpu_name(), "steps": str(self._settings.steps)}
        description = plan.description(self._rows(plan), made_with)
        write_grid(assembled(description, backbones, plan.made()), self._settings.out)
