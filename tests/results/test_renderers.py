"""Every format keeps what is asked of a plugin's, and a plugin's is found and used by its name."""

from __future__ import annotations

import html
import json

import pytest

from tests.results.third_party import Html
from tlbench.cli.app import _main
from tlbench.results.leaderboard import frame
from tlbench.results.records.store import Store
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.page import Limits, Page
from tlbench.testing.conformance import RendererConformance


class TestHtml(RendererConformance):
    renderer = Html()

    def shown(self, text):
        return html.escape(text)


class TestTerminal(RendererConformance):
    renderer = FORMATS["terminal"]


class TestMarkdown(RendererConformance):
    renderer = FORMATS["markdown"]


class TestJson(RendererConformance):
    renderer = FORMATS["json"]


class OfFullPrecision:
    """CSV has values, the picture has its own letters: their own tests say what they show."""

    def test_shows_every_score_and_name(self):
        pytest.skip("it shows values in full precision, or as a picture")


class TestCsv(OfFullPrecision, RendererConformance):
    renderer = FORMATS["csv"]


class TestSvg(OfFullPrecision, RendererConformance):
    renderer = FORMATS["svg"]


@pytest.fixture(scope="module")
def page(made):
    cells, records, kept = made.suite()
    return Page(frame(records, cells, lambda record: kept.get(record.cell.id)), "glue-lite", "tlbench leaderboard")


def test_json_has_values_in_full_precision_beside_the_texts(page):
    read = json.loads(FORMATS["json"].render(page))
    assert (read["format"], read["title"], read["cells_done"], read["cells_total"]) == (1, "glue-lite", 9, 10)
    table = page.frame()
    for section in read["tasks"]:
        rows = table[(table["task"] == section["task"]) & (table["status"] != "pending")]
        assert [row["values"]["score"]["value"] for row in section["rows"]] == [
            None if value != value else value for value in rows["value"]
        ]
        assert [row["cell"] for row in section["rows"]] == rows["cell"].tolist()
    best = read["tasks"][0]["rows"][0]
    assert best["is_best"]
    assert best["values"]["rank"] == {"value": 1, "text": "1="}
    assert best["values"]["score"]["text"] == f"{100 * best['values']['score']['value']:.1f}"
    assert read["failures"][0]["reason"] == "out of memory"
    assert list(read["notes"]) == ["a"]
    probe = [row for row in read["tasks"][0]["rows"] if row["values"]["strategy"]["value"] == "linear-probe"]
    assert probe[0]["values"]["strategy"]["note"] == "a"


def test_a_short_page_has_the_best_rows_and_counts_the_others(page):
    short = Page(page.frame(), limits=Limits(rows=2, rows_of_a_task=2, summary=1, failures=0))
    assert [len(section.lines) for section in short.sections] == [3, 3], "two, and the baseline without a backbone"
    assert [section.hidden for section in short.sections] == [2, 1]
    assert (len(short.summary), short.summary_hidden) == (1, 4)
    assert (len(short.failures), short.failures_hidden) == (0, 1)
    assert short.is_shortened
    assert not page.is_shortened


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tests.results.third_party")
    store = Store.create(tmp_path / "out")
    for record in made.suite()[1]:
        store.commit(record, tmp_path / "work")
    return str(store.root)


def run(capsys, *arguments):
    status = _main(list(arguments))
    out, err = capsys.readouterr()
    return status, out, err


def test_a_plugin_s_format_is_used_by_its_name(folder, capsys):
    status, out, _ = run(capsys, "leaderboard", "--all", "--out", folder, "--format", "plain-html")
    assert status == 0
    assert out.startswith("<h1>all records</h1>\n<h2>cola-lite</h2>")
    assert run(capsys, "list", "renderers")[1].count("plain-html") == 1


@pytest.mark.parametrize(("name", "said"), [
    ("markdwon", "unknown renderer 'markdwon'; did you mean markdown?"),
    ("broken", "--format broken: ValueError: no page today"),
])  # fmt: skip
def test_what_cannot_be_written_is_said_in_one_line(folder, capsys, name, said):
    status, out, err = run(capsys, "leaderboard", "--all", "--out", folder, "--format", name)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_json_on_the_command_line(folder, capsys):
    status, out, _ = run(capsys, "leaderboard", "--all", "--out", folder, "-f", "json")
    assert status == 0
    assert {task["task"] for task in json.loads(out)["tasks"]} == {"sst2-lite", "cola-lite"}


def test_metrics_are_listed(capsys):
    status, out, _ = run(capsys, "list", "metrics")
    assert status == 0
    assert "balanced_accuracy" in out
    assert "Guo et al. 2017" in out
