"""`tlbench.find`: the best way to adapt a backbone to a task within a time, from Python."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tlbench.api.checked_options import FindOptions, WhereToRun, converted, given, names, short_mistakes
from tlbench.api.first_checks import warn_of_data
from tlbench.api.progress_bar import Progressed, progress_bar
from tlbench.api.requested_plan import check_device, memory_room
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.finding.answering.answer import FindAnswer, FoundSetting
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.driver import Driver
from tlbench.finding.finals.finalists import Finalist
from tlbench.finding.find import Asked, find
from tlbench.finding.find_folder import StoredFit
from tlbench.finding.request import FindRequest
from tlbench.results.reading.default_folder import results_folder, searching_in
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.time_texts import duration
from tlbench.running.prediction.loaded_model import LoadedModel, loaded_model
from tlbench.running.run import Settings

_NAME = "tlbench.find"


@dataclass(frozen=True)
class FindResult:
    """What `tlbench.find` returns: the answer, whose fields are attributes of this object too, and the winner."""

    answer: FindAnswer
    """The answer as it is stored; its `winner` is described by `best` here."""
    out: Path
    """The folder of results, in which the finalists are ordinary cells."""

    @property
    def best(self) -> FoundSetting | None:
        """The backbone, strategy and hyperparameters that won, with their scores; None if no fit gave a score."""
        return self.answer.winner

    @cached_property
    def winner(self) -> LoadedModel:
        """The trained model that won, as from `tlbench.load`; loaded when it is first asked for.

        Raises:
            UsageError: No fit gave a score within the time, or the winner has no final fit.
        """
        best = self.answer.winner
        if best is None or not best.cell:
            reason = "no fit gave a score within the time" if best is None else best.reason or "it has no final fit"
            raise UsageError(f"{_NAME}: there is no winner to load: {reason}")
        return loaded_model(best.cell, self.out)

    def __getattr__(self, name: str) -> Any:
        if name in FindAnswer.__struct_fields__ or name == "seconds":
            return getattr(self.answer, name)
        raise AttributeError(f"FindResult has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *FindAnswer.__struct_fields__, "seconds"})

    def _repr_html_(self) -> str:
        """Returns the answer as notebooks show it, with every name escaped."""
        from tlbench.api.html_tables import answer_html

        return answer_html(self.answer)

    def __repr__(self) -> str:
        best = self.answer.winner
        title = "no fit gave a score" if best is None else best.title
        return f"FindResult({printable(self.answer.request.task)}: {printable(title)})"


@short_mistakes
def find_winner(
    task: str,
    minutes: float,
    axes: Mapping[str, str | Sequence[str] | None],
    out: str | Path | None,
    progress: bool,
    options: FindOptions,
) -> FindResult:
    """Searches within a time; see `tlbench.find`.

    Args:
        task: Name of the task.
        minutes: The budget.
        axes: The names of `backbones` and `strategies`.
        out: The folder of results; None for the default one.
        progress: Whether a bar is shown.
        options: The further arguments.

    Raises:
        UsageError: An argument, a name or the folder cannot be used.
    """
    began = time.monotonic()
    values = given(options, FindOptions, _NAME)
    where = converted(values, WhereToRun, _NAME)
    check_device(where.device, f"{_NAME}: device")
    chosen = {axis: names(value, axis, _NAME) for axis, value in axes.items()}
    chosen["licences"] = names(values.pop("licences", None), "licences", _NAME)
    folder = results_folder(out)
    with searching_in(folder):
        catalog = Catalog.discover()
        (name,) = names(task, "task", _NAME) or ("",)
        found = catalog.task(name)
        request = converted({**values, **chosen, "task": found.ref.name, "minutes": minutes}, FindRequest, _NAME)
        room = memory_room(where.max_memory, where.device)
        # The winner is kept, so that it is loaded and not fitted again.
        settings = Settings(where.executor, where.jobs, where.device, room=room, keep_models="best-seed")
        warn_of_data([found.ref.name], catalog)
        asked, state = Asked(request, found, catalog, settings, folder, began), _SearchState(request)
        try:
            with progress_bar(found.ref.name, state.read, progress):
                answer = find(asked, state, bool(values.get("fresh")))
        except KeyboardInterrupt as stop:
            stop.add_note(f"{_NAME}: the same call goes on with the time that is left")
            raise
    return FindResult(answer, folder)


class _SearchState:
    """Is told of a search by the search, and says how far it is."""

    def __init__(self, request: FindRequest) -> None:
        self._request = request
        self._driver: Driver | None = None
        self._final = ""

    def begins(self, driver: Driver, task: str) -> None:
        self._driver = driver

    def fitted(self, fit: StoredFit, entry: Entry) -> None:
        pass

    def finals(self, finalist: Finalist, entry: Entry) -> None:
        self._final = entry.title

    def read(self) -> Progressed:
        """Returns the seconds that were spent, and the best score so far or the finalist that is being fitted."""
        driver, total = self._driver, self._request.seconds
        if driver is None:
            return Progressed(0, total, "starting the workers")
        elapsed = min(driver.clock.elapsed, total)
        ended = [one.outcome for one in list(driver.fits) if one.outcome is not None]
        metric = driver.setup.metric
        scores = [one.score for one in ended if one.ran_whole and one.score is not None]
        best = f"best {metric.name} {(max if metric.greater_is_better else min)(scores):.3f}" if scores else ""
        left = f"at most {duration(total - elapsed, is_rough=True)} left"
        texts = (f"{len(ended)} fits", best, f"final fits of {self._final}" if self._final else left)
        return Progressed(elapsed, total, ", ".join(text for text in texts if text))
