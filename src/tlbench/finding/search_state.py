"""The state of a search, read from its folder by another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.finding.clock import stored_seconds
from tlbench.finding.find_folder import FindFolder, SearchSetting, StoredFit

SILENT_SECONDS = 30.0
"""Age of the file of the time from which a search no longer counts as going on; it is written every second."""


class SearchState(msgspec.Struct, frozen=True):
    """The state of one search that has not ended."""

    search: str
    """Its id, which names its folder."""
    task: str
    budget_seconds: float
    elapsed_seconds: float
    phase: str
    """`starting`, `searching` or `finals`."""
    finished: int
    """Number of fits that have ended."""
    running: int
    metric: str = ""
    best: float | None = None
    """The best validation score of a fit of full length."""
    best_candidate: str = ""


def running_searches(root: Path, now: float) -> list[SearchState]:
    """Returns the searches in a results folder that a process works on, in the order of their ids.

    Args:
        root: The results folder.
        now: The time in Unix seconds.
    """
    return sorted(_running(root / "find", now), key=lambda one: one.search)


def _running(root: Path, now: float) -> Iterator[SearchState]:
    with suppress(OSError):
        for path in root.iterdir():
            with suppress(OSError, ValueError):
                if path.is_dir() and not path.is_symlink() and not (path / "answer.json").exists():
                    age = now - (path / "clock").stat().st_mtime
                    if age < SILENT_SECONDS and (state := _state(FindFolder(path))) is not None:
                        yield state


def _state(folder: FindFolder) -> SearchState | None:
    request, setting, fits = folder.request(), folder.setting(), folder.fits()
    elapsed = stored_seconds(folder.clock)
    if request is None or elapsed is None:
        return None
    phase = "starting" if setting is None else "searching"
    if (folder.root / "finals.json").exists():
        phase = "finals"
    best = None if setting is None else _best(fits, setting)
    outcome = best.outcome if best is not None else None
    titles = setting.titles if setting is not None else ()
    number = best.proposed.candidate if best is not None else len(titles)
    return SearchState(
        folder.root.name,
        request.task,
        request.seconds,
        elapsed,
        phase,
        sum(one.outcome is not None for one in fits),
        sum(one.outcome is None for one in fits),
        setting.metric if setting is not None else "",
        outcome.score if outcome is not None else None,
        titles[number] if number < len(titles) else "",
    )


def _best(fits: list[StoredFit], setting: SearchSetting) -> StoredFit | None:
    sign = 1.0 if setting.greater_is_better else -1.0
    whole = [one for one in fits if one.outcome is not None and one.outcome.ran_whole]
    scores = {one.number: sign * one.outcome.score for one in whole if one.outcome and one.outcome.score is not None}
    return max((one for one in whole if one.number in scores), key=lambda one: scores[one.number], default=None)
