"""Names, reasons and labels that command a terminal, a page or a spreadsheet: no command and no page obeys them.

Every renderer is tested with the same texts by its conformance tests (`RendererConformance.test_hostile_names`); here
are the other ways out: what commands print, tables in notebooks, trackers, model cards and errors.
"""

import re
import tomllib

import msgspec
import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tests.untrusted.hostile_texts import ALL_HOSTILE
from tlbench.api.html_tables import board_html
from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.contracts.record import FitResult, Provenance, Record
from tlbench.contracts.tracking.tracked_run import TrackedRun
from tlbench.results.render.escaping import ESCAPES, is_invisible
from tlbench.system.integrity.sealed_json import unsealed
from tlbench.testing.conformance.media import taken_for_commands
from tlbench.testing.conformance.renderer import example_page

EVERYTHING = " ".join(ALL_HOSTILE.values())
ATTACKS = {**ALL_HOSTILE, "all at once": EVERYTHING, "a long text": "x" * 100_000, "accents": "e" + "\u0301" * 5000}
WORST = ("all at once", "terminal escapes", "a long text")
COMMANDS = (
    ("leaderboard", "--all"),
    *(("leaderboard", "--all", "-f", kind) for kind in ("markdown", "csv", "json", "latex", "svg")),
    ("status",),
    ("status", "--json"),
    ("recommend",),
    ("recommend", "--json"),
    ("show", "{id}"),
    ("show", "{id}", "-f", "json"),
    ("compare", "{out}", "{out}"),
    ("compare", "{out}", "{out}", "--json"),
    ("delete", "--task", "*"),
    ("eval-results", "{id}", "--dataset", "a/b", "--task", "c"),
    ("hpo", "--export", "{out}.log"),
)


def seen(text):
    """Returns the escape sequences and the invisible characters of a text, without line ends."""
    return {*ESCAPES.findall(text), *filter(is_invisible, set(text) - {"\n", "\t"})}


@pytest.fixture(scope="module", params=["all at once", "a long text"])
def sent(request, tmp_path_factory):
    """A folder of results whose names, reasons and labels are hostile, and the id of its first cell."""
    text = ATTACKS[request.param]
    root = tmp_path_factory.mktemp("hostile") / "out"
    first, second = (cell(task=text, strategy=f"{kind}{text}", backbone=text) for kind in "ab")
    trials = (FitResult({text: text}, 0, "search", 0, "ok", validation=0.5, reason=text, traceback=text),)
    report = ClassReport((ClassScore(text, 0.5, 0.5, 0.5, 20),), (text,), ((0, 0, 40),))
    provenance = Provenance(distributions={text: text}, device=text, data={"test": text})
    changes = {"report": report, "best_params": {text: text}, "provenance": provenance, "trials": trials}
    store = committed(root, [(first, answers(n=40)), (second, None)], reason=text, traceback=text)
    for path in (root / "records").glob("*.json"):
        record = msgspec.json.decode(unsealed(path.read_bytes()), type=Record)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changes)))
    assert store.record(first.id)
    return root, first.id


def test_what_commands_print_is_text(sent, capsys):
    root, cell_id = sent
    for command in COMMANDS:
        asked = [part.format(out=root, id=cell_id) for part in command]
        assert _main([*asked, *(() if "compare" in command else ("--out", str(root)))]) in (0, 1, 2)
        said = capsys.readouterr()
        assert not seen(said.out), (command, said.out[:500])
        assert not seen(said.err), (command, said.err[:500])
        assert "Traceback" not in said.err, command


NAMES = ("show", "check", "plan -t", "plan -b", "plan -S", "plan --suite", "list", "delete --strategy")


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize("command", NAMES)
def test_a_name_that_is_asked_for_is_repeated_as_text(capsys, tmp_path, command, kind):
    name = ATTACKS[kind].replace("\0", "")
    status = _main([*command.split(), name, "--out", str(tmp_path / "none")] if command != "list" else ["list", name])
    said = capsys.readouterr()
    assert status == 2
    assert not seen(said.err + said.out)
    assert said.err.count("\n") <= 2
    assert len(said.err) < 5000


@pytest.mark.parametrize("kind", WORST)
def test_a_suite_with_hostile_keys_and_values(capsys, tmp_path, kind):
    text = msgspec.json.encode(ATTACKS[kind].replace("\x7f", "")).decode()
    suite = tmp_path / "suite.toml"
    for content in (f"{text} = 1\n", f"name = {text}\ncells = [{{tasks = [{text}], strategies = [{text}]}}]\n"):
        assert tomllib.loads(content)
        suite.write_text(content)
        assert _main(["plan", "--suite", str(suite), "--out", str(tmp_path / "none")]) in (0, 1, 2)
        said = capsys.readouterr()
        assert not seen(said.err + said.out)


@pytest.mark.parametrize("kind", ALL_HOSTILE)
def test_a_table_in_a_notebook_is_text(kind):
    found = taken_for_commands("html", board_html(example_page(ALL_HOSTILE[kind])), board_html(example_page()))
    # A notebook shows what is between two dollar signs as a formula, so those of names are wrapped.
    assert {*found} <= {"<span>", "</span>"}


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_trackers_get_is_one_line(kind):
    text = ATTACKS[kind]
    of = Cell(Ref(text), Ref(text), Protocol(), Ref(text))
    record = Record(of, "failed", reason=text, best_params={text: text, "n": 3})
    fit = FitResult({text: text}, 0, "search", 0, "ok", validation=0.5)
    order = FitOrder(of, "search", (Fit({}, 0, 0),), "here")
    for run in (TrackedRun.of_record(of, record), TrackedRun.of_fit(order, fit)):
        shown = [run.title, run.name, *run.params, *map(str, run.params.values())]
        assert not any(map(seen, shown))
        assert not any("\n" in one or len(one) > 500 for one in shown)


FORMULA = re.compile(r"[=+@|\t\uff1d]")


SPREADSHEETS = [kind for kind in ALL_HOSTILE if "spreadsheet" in kind or kind.startswith("a formula") or kind == "tabs"]


@pytest.mark.parametrize("kind", SPREADSHEETS)
def test_no_cell_of_a_printed_table_is_a_formula(capsys, tmp_path, kind):
    of = cell(task=ALL_HOSTILE[kind], strategy=ALL_HOSTILE[kind], backbone=ALL_HOSTILE[kind])
    committed(tmp_path / "out", [(of, answers(n=40))])
    assert _main(["leaderboard", "--all", "-f", "csv", "--out", str(tmp_path / "out")]) == 0
    cells = [one for line in capsys.readouterr().out.splitlines() for one in line.split('","')]
    assert not [one for one in cells if FORMULA.match(one.removeprefix('"'))]
