"""What another process reads of a search that is going on."""

import os
import time

import pytest

from tests.finding.conftest import Recorder
from tlbench.cli.progress.status import print_status
from tlbench.finding.search_state import SILENT_SECONDS, running_searches


class Looking(Recorder):
    """Reads the state of the search after its second fit and before its finals."""

    def __init__(self, out):
        super().__init__(self.look, 2)
        self.out, self.states = out, []

    def look(self):
        self.states += running_searches(self.out, time.time())

    def finals(self, finalist, entry):
        if not self.finalists:
            self.look()
        super().finals(finalist, entry)


def test_a_search_shows_its_phase_its_fits_and_the_best_so_far(finds, capsys):
    told = Looking(finds.out)
    finds(told)
    searching, ending = told.states
    assert (searching.task, searching.phase, searching.finished, searching.budget_seconds) == (
        "toy-tone",
        "searching",
        2,
        3600,
    )
    assert (ending.phase, ending.finished, ending.running) == ("finals", 4, 0)
    scores = {title: fit.outcome.score for title, fit in told.fits}
    assert ending.best == max(scores.values()) == scores[ending.best_candidate]
    assert running_searches(finds.out, time.time()) == [], "one that has ended is not going on"
    folder = finds.folder()
    (folder.root / "answer.json").unlink()
    print_status(finds.out, as_json=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("search "))
    assert line.startswith(f"search {folder.root.name}: toy-tone, finals, ")
    assert line.endswith(f"4 fits done, 0 running, best accuracy {ending.best:.4f} by {ending.best_candidate}")
    os.utime(folder.clock, (0, time.time() - SILENT_SECONDS - 1))
    assert running_searches(finds.out, time.time()) == [], "nobody has worked on it for a while"


@pytest.mark.parametrize("name", ["request.json", "clock"])
def test_damaged_files_of_a_search_are_left_out(finds, name):
    finds.folder().clock.write_text("1.0\n")
    (finds.folder().root / name).write_text("{")
    assert running_searches(finds.out, time.time()) == []
