"""`tlbench find` as a user calls it, and the view of a search that goes on."""

import io
import json
import shlex
from types import SimpleNamespace

import pytest
from rich.console import Console

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.cli.finding.answer_texts import _short_name
from tlbench.cli.finding.find_view import BarsView
from tlbench.contracts.policies.policy import Candidate
from tlbench.finding.find_folder import StoredFit, StoredOutcome, StoredProposal


@pytest.fixture
def find(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.finding.conftest")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    chosen = ["-b", "toy", "-S", "toy-fit", "--policy", "in-order", "--executor", "inline", "-o", str(tmp_path / "out")]
    return lambda *more: _main(["find", "toy-tone", *chosen, *more])


def test_a_search_prints_its_answer_and_the_next_commands(find, capsys):
    assert find("--minutes", "30") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("toy-tone: 3 candidates")
    assert any("toy | toy-fit (" in line and "accuracy" in line for line in lines)
    facts = {line.split("  ")[0]: line for line in lines}
    assert "on the sealed test split" in facts["accuracy"]
    assert "search" in facts["spent"]
    assert [line.split()[1] for line in lines[-4:]] == ["show", "leaderboard", "predict", "export"]
    # The answer is stored: it is printed again, as JSON too, and nothing is fitted.
    assert find("--minutes", "30", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["winner"]["cell"][:8] in lines[-4]
    assert {one["candidate"] for one in answer["spent"]} == {"majority", "tfidf", "toy | toy-fit"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--minutes", "0"), "more than 0 minutes"),
        (("--minutes", "nan"), "more than 0 minutes"),
        (("--max-parameters", "1k"), "no backbone for text is left"),
        (("--until", "accuracy!0.9"), "--until"),
        (("--policy", "nobody"), "unknown policy"),
        (("--device", "abacus"), "--device"),
    ],
)
def test_a_mistake_is_one_line(find, capsys, options, said):
    assert find(*options) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not captured.out


def test_the_live_view_has_a_bar_for_each_candidate(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    catalog = Catalog.discover()
    view = BarsView(SimpleNamespace(catalog=catalog, task=catalog.task("toy-tone")))
    names = ("whole", "stopped", "broken", "new[red]")
    entries = [SimpleNamespace(title=name, candidate=Candidate(n, name)) for n, name in enumerate(names)]
    fits = [
        StoredFit(0, StoredProposal(0, {}), StoredOutcome("ok", 2.0, 0.75)),
        StoredFit(1, StoredProposal(1, {}, 2), StoredOutcome("pruned", 1.0, 0.9)),
        StoredFit(2, StoredProposal(2, {}), StoredOutcome("diverged", 1.0)),
        StoredFit(3, StoredProposal(3, {}, None, "portfolio")),
    ]
    running = [SimpleNamespace(proposed=fits[3].proposed, began=5.0)]
    entries.append(SimpleNamespace(title="untried", candidate=Candidate(4, "untried")))
    view.driver = SimpleNamespace(
        setup=SimpleNamespace(entries=entries, seconds=60.0),
        clock=SimpleNamespace(elapsed=20.0), fits=fits, running=running,
    )  # fmt: skip
    screen = io.StringIO()
    Console(file=screen, width=100, color_system=None, force_terminal=False).print(view)
    head, *rows, last = screen.getvalue().rstrip().splitlines()
    assert "best accuracy 75.00" in head
    assert "40 s left" in head
    texts = [" ".join(row.split()) for row in rows]
    assert texts[0] == "━━━━···· stopped 90.00"
    assert texts[1] == "━━━━━━━━ whole 75.00"
    assert "········ broken diverged" in texts
    assert "········ new[red] portfolio, 15 s" in texts
    assert last.strip() == "1 not tried yet"


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        ("csv:/my data/it's.csv[text=a b,label=c]", "./it-s.csv-model"),
        ("csv:reviews.csv@d3ba9dbc1a1f[label=stars]", "./csv-reviews.csv-model"),
        ("imagefolder:photos/", "./imagefolder-photos-model"),
        ("csv:/..[text=$(reboot)]", "./task-model"),
        ("\x1b[31mtask", "./task-model"),
        ("trec", "./trec-model"),
    ],
)
def test_the_folder_of_an_export_is_one_word_of_a_shell(task, folder):
    assert f"./{_short_name(task)}-model" == folder == shlex.quote(folder)
