"""The progress bar: in a terminal on stderr, in a notebook below its cell, and nowhere else."""

import sys
from types import ModuleType

import pytest

from tlbench.api import progress_bar as bars
from tlbench.api.progress_bar import Progressed, progress_bar


def test_a_terminal_gets_a_bar_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_bar("a run [red]\x1b[31m", lambda: Progressed(3, 4, "3 of 4 cells"), True):
        print("what the block prints")
    out, err = capsys.readouterr()
    assert out == "what the block prints\n"
    assert "a run [red]" in err, "brackets are no markup"
    assert "3 of 4 cells" in err
    assert "\x1b[31m" not in err


def test_a_file_and_a_quiet_call_get_no_bar(monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with progress_bar("a run", lambda: Progressed(3, 4, "3 of 4"), True):
        pass
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("a run", lambda: Progressed(3, 4, "3 of 4"), False):
        pass
    assert capsys.readouterr() == ("", "")


class Handle:
    """A display of a notebook, with all that was drawn there."""

    def __init__(self, first):
        self.drawn = [first]

    def update(self, drawing):
        self.drawn.append(drawing)


@pytest.fixture
def notebook(monkeypatch):
    """Pretends to be a notebook; returns the list of its displays."""
    displays = []

    def display(drawing, display_id):
        assert display_id is True
        displays.append(Handle(drawing))
        return displays[-1]

    module = ModuleType("IPython.display")
    module.HTML, module.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    return displays


def test_a_notebook_gets_one_display_that_is_redrawn(notebook, monkeypatch, capsys):
    monkeypatch.setattr(bars, "REFRESH_SECONDS", 1000.0)
    state = [Progressed(1, 2, "<b>1</b> of 2")]
    with progress_bar("<script>", lambda: state[0], True):
        state[0] = Progressed(2, 2, "2 of 2")
    (shown,) = notebook
    assert "&lt;script&gt;" in shown.drawn[-1]
    assert "2 of 2" in shown.drawn[-1]
    assert "<script>" not in "".join(shown.drawn)
    assert capsys.readouterr() == ("", "")


def test_the_last_state_is_drawn_after_an_interruption(notebook):
    with pytest.raises(KeyboardInterrupt), progress_bar("a run", lambda: Progressed(1, 2, "1 of 2"), True):
        raise KeyboardInterrupt
    assert "1 of 2" in notebook[0].drawn[-1]
