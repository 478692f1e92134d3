"""Every format keeps what is asked of a plugin's, and a plugin's is found and used by its name."""

from __future__ import annotations

import html
import io
import json
import re

import msgspec
import pytest

from tests.results.third_party import Html
from tlbench.cli.app import _main
from tlbench.contracts.cell import Ref
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Scalar
from tlbench.contracts.renderer import FolderRenderer
from tlbench.results.leaderboard import frame
from tlbench.results.records.store import Store
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.formats.latex import latex_text
from tlbench.results.render.page import Page
from tlbench.results.render.view import Limits
from tlbench.testing.conformance import RendererConformance
from tlbench.testing.conformance.renderer import example_page


class TestHtml(RendererConformance):
    renderer = Html()
    medium = "html"

    def shown(self, text):
        return html.escape(text)


class TestTerminal(RendererConformance):
    renderer = FORMATS["terminal"]
    medium = "terminal"


class TestMarkdown(RendererConformance):
    renderer = FORMATS["markdown"]
    medium = "markdown"


class TestLatex(RendererConformance):
    renderer = FORMATS["latex"]
    medium = "latex"

    def shown(self, text):
        return latex_text(text)


def test_latex_has_every_table_of_a_page_and_its_rows_end():
    page = example_page()
    written = FORMATS["latex"].render(page)
    assert written.count(r"\begin{table}") == written.count(r"\end{table}") == 1 + len(page.sections) + 1
    # Every row has as many cells as its table has columns.
    for table in written.split(r"\begin{tabular}")[1:]:
        columns, _, rows = table.partition("\n")
        cells = {len(re.split(r"(?<!\\)&", row)) for row in rows.splitlines() if row.endswith(r"\\")}
        assert cells == {len(columns.strip("{}"))}


class TestJson(RendererConformance):
    renderer = FORMATS["json"]
    medium = "json"


class OfFullPrecision:
    """CSV has values, the picture has its own letters: their own tests say what they show."""

    def test_shows_every_score_and_name(self):
        pytest.skip("it shows values in full precision, or as a picture")


class TestCsv(OfFullPrecision, RendererConformance):
    renderer = FORMATS["csv"]
    medium = "csv"


class TestSvg(OfFullPrecision, RendererConformance):
    renderer = FORMATS["svg"]
    medium = "html"


@pytest.fixture(scope="module")
def page(made):
    cells, records, kept = made.suite()
    return Page(frame(records, cells, lambda record: kept.get(record.cell.id)), "glue-lite", "tlbench leaderboard")


def test_json_has_values_in_full_precision_beside_the_texts(page):
    read = json.loads(FORMATS["json"].render(page))
    assert (read["format"], read["title"], read["cells_done"], read["cells_total"]) == (2, "glue-lite", 9, 10)
    table = page.frame()
    for section in read["tasks"]:
        rows = table[(table["task"] == section["task"]) & (table["status"] != "pending")]
        assert [row["values"]["score"]["value"] for row in section["rows"]] == [
            None if value != value else value for value in rows["value"]
        ]
        assert [row["cell"] for row in section["rows"]] == rows["cell"].tolist()
    best = read["tasks"][0]["rows"][0]
    assert best["is_best"]
    assert best["values"]["rank"] == {"value": 1, "text": "1\u20132"}
    assert best["values"]["score"]["text"] == f"{100 * best['values']['score']['value']:.1f}"
    assert read["failures"][0]["reason"] == "out of memory"
    assert list(read["notes"]) == ["a"]
    probe = [row for row in read["tasks"][0]["rows"] if row["values"]["strategy"]["value"] == "linear-probe"]
    assert probe[0]["values"]["strategy"]["note"] == "a"


def test_a_short_page_has_the_best_rows_and_counts_the_others(page):
    short = Page(page.frame(), limits=Limits(rows=2, rows_of_a_task=2, summary=1, failures=0))
    assert [len(section.lines) for section in short.sections] == [3, 3], "two, and the baseline without a backbone"
    assert [section.hidden for section in short.sections] == [2, 1]
    assert [(len(summary.lines), summary.hidden) for summary in short.summaries] == [(1, 4)]
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
    ("broken", "--format broken, brought by tests, failed: ValueError: no page today"),
    ("leaving", "--format leaving, brought by tests, failed: SystemExit: 0"),
    ("undecided", "--format undecided, brought by tests, failed: KeyError: 'short'"),
    ("bytes", "--format bytes, brought by tests, made bytes and not text: its `render` must return a str"),
    ("surrogate", "--format surrogate, brought by tests, made text with the character U+D83D, which utf-8"),
])  # fmt: skip
def test_what_cannot_be_written_is_said_in_one_line(folder, capsys, name, said):
    status, out, err = run(capsys, "leaderboard", "--all", "--out", folder, "--format", name)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_what_standard_output_cannot_write_is_said_in_one_line(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    status, _, err = run(capsys, "leaderboard", "--all", "--out", folder, "--format", "markdown")
    assert status == 2
    assert err == (
        "tlbench: --format markdown: the text has the character U+00B1, which ascii cannot write: "
        "set PYTHONIOENCODING=utf-8\n"
    )


LABEL = "=HYPERLINK(1)|`[red]<script>"
DRAWINGS = {"cost-score", "critical-difference", "label-efficiency"}
"""Formats that refuse a page of one task and one cell."""


@pytest.mark.parametrize(
    "format_", [name for name in FORMATS if name not in DRAWINGS and not isinstance(FORMATS[name], FolderRenderer)]
)
def test_a_metric_s_label_is_text_in_every_format(format_, made):
    class Off(Metric):
        name, label, outputs, in_points = "off", LABEL, (Scalar,), False

    record = made.record(made.cell(), made.answers())
    scores = tuple(msgspec.structs.replace(score, metric="off") for score in record.scores)
    table = frame([msgspec.structs.replace(record, metrics=("off",), scores=scores)], metrics={"off": Off()})
    written = FORMATS[format_].render(Page(table))
    if format_ == "markdown":
        assert "\n`=HYPERLINK(1)\\|'[red]<script>`, " in written
        assert "- `=HYPERLINK(1)\\|'[red]<script>`: no share of 1, so score" in written
    elif format_ == "csv":
        assert f'"\'{LABEL}"' in written
    elif format_ == "svg":
        assert "<script>" not in written
        assert "&lt;script&gt;" in written
    elif format_ == "latex":
        assert r"=HYPERLINK(1)\textbar{}\textasciigrave{}{[}red{]}\textless{}script\textgreater{}, " in written
    elif format_ == "json":
        assert json.loads(written)["tasks"][0]["metric"] == LABEL
        assert any(line.startswith(LABEL) for line in json.loads(written)["legend"])
    else:
        assert f"{LABEL}, " in written


def test_json_keeps_names_whole_and_writes_what_nobody_sees_as_escapes(made):
    name = "x\u202ey\u0085\x7f\U000e0001 Größe 模型"
    record = made.record(msgspec.structs.replace(made.cell(), backbone=Ref(name)), made.answers())
    written = FORMATS["json"].render(Page(frame([record])))
    assert "Größe 模型" in written
    assert r"x\u202ey\u0085\u007f\udb40\udc01 Gr" in written
    assert json.loads(written)["tasks"][0]["rows"][0]["values"]["backbone"]["value"] == name


def test_json_on_the_command_line(folder, capsys):
    status, out, _ = run(capsys, "leaderboard", "--all", "--out", folder, "-f", "json")
    assert status == 0
    assert {task["task"] for task in json.loads(out)["tasks"]} == {"sst2-lite", "cola-lite"}


def test_metrics_are_listed(capsys):
    status, out, _ = run(capsys, "list", "metrics")
    assert status == 0
    assert "balanced_accuracy" in out
    assert "Guo et al. 2017" in out
