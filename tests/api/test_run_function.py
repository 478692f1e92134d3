"""`tlbench.run`: what it returns, prints and keeps, and what it says of mistakes."""

import logging
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import pytest

import tlbench
from tlbench import UsageError
from tlbench.api.checked_options import RunOptions
from tlbench.api.html_tables import board_html
from tlbench.contracts.cell import Cell, Ref
from tlbench.contracts.record import Record
from tlbench.planning.suite import Patch
from tlbench.results.leaderboard import frame
from tlbench.results.reading.default_folder import searched_folder
from tlbench.results.render.page import Page
from tlbench.running.monitoring.run_status import read_statuses

HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$\\href{javascript:alert(1)}{x}$", "\\(x\\)", "$$x$$",
    "</td></table><style>*{display:none}</style>", "{{ 7 * 7 }}", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "a\u202eb",
    "x" * 300, "&lt;b&gt;", "😀", '" onmouseover="x',
)  # fmt: skip
TAGS = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "ul", "li", "span"}


class Parts(HTMLParser):
    """The tags, attributes and text of a piece of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts, self.math = set(), set(), [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)
        # MathJax looks for delimiters inside one piece of text.
        if data not in {"$", "\\"} and ("$" in data or "\\" in data):
            self.math.append(data)


def test_a_run_returns_records_and_a_leaderboard_and_prints_nothing(run, capsys):
    result = run(strategies=["toy-fit", "toy-majority"], trials=2, seeds=range(2))
    assert capsys.readouterr() == ("", "")
    fitted = {record.cell.strategy.name: record.cell.protocol for record in result.records}
    assert set(fitted) == {"toy-fit", "toy-majority"}
    assert (fitted["toy-fit"].trials, fitted["toy-fit"].seeds) == (2, (0, 1))
    table = result.frame()
    assert set(table["cell"]) == {record.cell.id for record in result.records}
    assert table.equals(tlbench.load_records("out"))
    assert repr(result) == "RunResult(tlbench.run: 2 of 2 cells with a score, in out)"
    parts = Parts(result._repr_html_())
    assert parts.tags <= TAGS
    shown = " ".join(parts.texts)
    assert all(record.cell.id[:4] in shown for record in result.records)
    assert "toy-majority" in shown
    # The copy that was given away is the caller's.
    table["value"] = 0
    assert result.frame()["value"].max() > 0
    assert not read_statuses(result.out / "work")


def test_warnings_on_the_data_are_python_warnings_once(run, toys):
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(60)]
    (toys / "rows.csv").write_text("\n".join(["text,label", *rows, "text 3,a"]) + "\n")
    with pytest.warns(UserWarning, match="1 input has different labels") as caught:
        run(tasks="csv:rows.csv", strategies="toy-majority")
    assert "`tlbench check csv:" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tasks="csv:rows.csv", strategies="toy-majority", fresh="all")


def test_finished_cells_are_not_run_again(run):
    first = run(strategies="toy-majority", seeds=1)
    more = run(strategies=["toy-majority", "toy-guess"], seeds=1, settings={"guess": 0.25})
    assert (first.ran, more.ran) == (1, 1)
    assert more.records[0] == first.records[0]
    assert more.records[1].best_params["guess"] == 0.25
    assert any("guess" in note for note in more.notes)
    assert run(strategies="toy-majority", seeds=1, fresh="all").ran == 1


def test_a_suite_is_a_file_too_and_skips_are_noted(run, toys):
    (toys / "mine.toml").write_text(
        '[protocol]\nseeds = 1\n[[cells]]\ntasks = ["toy-tone", "toy-count"]\nbackbones = ["toy"]\n'
        'strategies = ["toy-guess"]\n'
    )
    result = run(toys / "mine.toml", tasks=(), backbones=(), trials=1)
    assert result.plan.suite == "mine"
    assert [record.cell.task.name for record in result.records] == ["toy-tone"]
    (note,) = result.notes
    assert note.startswith("skipped: ")
    assert "predicts a class" in note


def test_an_interrupted_run_keeps_what_is_finished(run):
    with pytest.raises(KeyboardInterrupt) as caught:
        run(strategies=["toy-majority", "toy-interrupting"], seeds=1)
    assert caught.value.__notes__ == ["tlbench.run: nothing finished is lost, and the same call does the rest"]
    assert run(strategies="toy-majority", seeds=1).ran == 0
    # Neither the handlers of the log nor the folder for names such as run:<cell> outlive the call.
    assert not logging.getLogger("tlbench").handlers
    assert str(searched_folder()) == "tlbench-results"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"strategies": ()}, "tlbench.run: nothing to run: give a suite, or tasks and strategies"),
        ({"strategies": "nobody"}, "unknown strategy 'nobody'"),
        ({"strategies": 3}, "strategies: expected a name or a list of names, got 3"),
        ({"trails": 3}, "no argument is called trails; did you mean trials"),
        ({"trials": 0}, "tlbench.run: trials: expected int >= 1"),
        ({"seeds": "3"}, "tlbench.run: seeds: expected"),
        ({"max_seconds": float("inf")}, "max_seconds: expected a finite number"),
        ({"epochs": 1, "max_steps": 2}, "give one of max_steps and epochs"),
        ({"shots": 1, "train_limit": 2}, "give one of train_limit and shots"),
        ({"fresh": "yes"}, "tlbench.run: fresh: invalid enum value 'yes'"),
        ({"device": "abacus"}, "tlbench.run: device abacus: not a device"),
        ({"max_memory": "7 apples"}, "7 apples"),
        ({"settings": {"nothing": 1}}, "nothing"),
        ({"executor": "nowhere"}, "unknown executor 'nowhere'"),
        ({"out": "~nobody-of-this-name/out"}, "no such home folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(run, toys, arguments, said):
    with pytest.raises(UsageError) as caught:
        run(**{"strategies": "toy-majority", **arguments})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not list(toys.iterdir())
    frames = [entry.name for entry in caught.traceback]
    assert frames[-1] == "called", f"its traceback ends where it was called: {frames}"


def test_hostile_names_are_text_in_a_notebook():
    cells = [Cell(Ref(name), Ref(f"s{name}"), tlbench.Protocol(), Ref(name)) for name in HOSTILE]
    records = [Record(cell, "failed", reason=cell.task.name) for cell in cells]
    parts = Parts(board_html(Page(frame(records), "<b>$x$</b>")))
    assert parts.tags <= TAGS
    assert parts.attributes <= {"class", "style", "scope"}
    assert not parts.math
    shown = "".join(parts.texts)
    assert "<script>alert(1)</script>" in shown, "it is shown as it is"
    assert not set("\x1b\u202e") & set(shown)


SCRIPT = """
import sys
import tlbench
print("once", file=sys.stderr)
result = tlbench.run(tasks="toy-tone", backbones="toy", strategies="toy-fit", trials=1, seeds=1, baselines=False,
                     out="out", jobs=1, device="cpu")
print([record.status for record in result.records], file=sys.stderr)
"""


def test_a_script_without_a_main_guard_runs_in_worker_processes(toys, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    # Workers are forked from a process of tlbench, and do not import the script.
    assert done.stderr.splitlines() == ["once", "['ok']"]
    assert done.stdout == ""


def test_options_of_the_protocol_are_those_of_suites():
    internal = {"refit", "stop", "lag"}
    assert {*Patch.__struct_fields__} - internal <= {*RunOptions.__annotations__, "trials", "seeds"}
