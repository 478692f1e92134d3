"""The leaderboard for terminals of several widths, as Markdown and as CSV, of friendly and of hostile names."""

from __future__ import annotations

import io
import re

import msgspec
import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from tlbench.contracts.cell import Ref
from tlbench.contracts.record import Provenance
from tlbench.results.leaderboard import frame
from tlbench.results.render import value_texts as cells
from tlbench.results.render.formats.csv import Csv
from tlbench.results.render.formats.markdown import Markdown
from tlbench.results.render.formats.terminal import Leaderboard
from tlbench.results.render.page import Page
from tlbench.results.render.standings import standings
from tlbench.results.render.view import Limits

HOSTILE = (
    "bert[/foo]", "[red]x", "\x1b[31mansi", "=HYPERLINK(1)", "<script>alert(1)</script>", "a|b`c", "x\u202egnp\nnext",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(made):
    cells_, records, kept = made.suite()
    return frame(records, cells_, lambda record: kept.get(record.cell.id))


@pytest.fixture(scope="module")
def hostile(made):
    records = []
    for i, name in enumerate(HOSTILE):
        of = msgspec.structs.replace(made.cell(strategy=f"{name}{i}"), backbone=Ref(name), task=Ref(name))
        bad = Provenance(distributions={name: name}, device=name)
        records.append(made.record(of, made.answers(), provenance=bad))
        failed = msgspec.structs.replace(of, strategy=Ref(f"{name} failed"))
        records.append(made.record(failed, None, status="failed", reason=f"{name}\n{name}", provenance=bad))
    return frame(records)


def leaderboard(table, title="leaderboard"):
    return Leaderboard(Page(table, title, limits=Limits()))


def markdown(table, *about, **more):
    return Markdown().render(Page(table, *about, **more))


def csv(table):
    return Csv().render(Page(table))


def shown(renderable, width=100, **kwargs):
    console = Console(width=width, file=io.StringIO(), **kwargs)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(table, hostile, width):
    for each in (leaderboard(table), leaderboard(hostile), standings(table), standings(hostile)):
        assert max(cell_len(line) for line in shown(each, width).splitlines()) <= width


def test_names_and_scores_are_whole_at_80_columns(table):
    text = shown(leaderboard(table, "glue-lite"), 80)
    assert text.startswith("glue-lite   9 of 10 cells\n")
    assert re.search(r"^1\u20132 +minilm-l6 partial-finetune\[stages=2\] +9\d\.\d ", text, re.MULTILINE)
    assert re.search(r"^- +minilm-l6 full-finetune +oom ", text, re.MULTILINE)
    assert "cola-lite   Matthews, 400 test examples, 1 cell to come" in text
    assert "minilm-l6 | cola-lite | full-finetune: oom: out of memory" in text
    assert "(a) unlike most of this table: threads 2, not 1" in text
    assert "linear-probe (a)" in text


@pytest.mark.parametrize(("width", "there", "not_there"), [
    (80, ("interval", "gain"), ("memory", "predict")),
    (100, ("interval", "gain", "memory"), ("predict",)),
    (140, ("interval", "gain", "memory", "F1", "acc.", "encode", "search", "predict"), ()),
])  # fmt: skip
def test_more_columns_are_shown_where_there_is_room(table, width, there, not_there):
    heading = "\n".join(shown(leaderboard(table), width).splitlines()[3:5])
    assert all(name in heading for name in there)
    assert not any(name in heading for name in not_there)


def test_the_best_is_bold_and_nothing_hangs_on_colour(table):
    styled = shown(leaderboard(table), 120, force_terminal=True, color_system="truecolor")
    assert re.search(r"\x1b\[1mfull-finetune", styled)
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|38;|9[0-7])m", styled)
    assert re.sub(r"\x1b\[[0-9;]*m", "", styled) == shown(leaderboard(table), 120)


def test_nothing_recorded_yet(made):
    assert "0 of 1 cells" in shown(leaderboard(frame([], [made.cell()])))
    assert "nothing is recorded yet" in shown(leaderboard(frame([])))


def test_standings_fill_in(made):
    cells_, records, _ = made.suite()
    before, after = shown(standings(frame([], cells_))), shown(standings(frame(records, cells_)))
    assert len(before.splitlines()) == len(after.splitlines()) == 6
    assert re.search(r"minilm-l6 +linear-probe +· +· +·$", before, re.MULTILINE)
    assert re.search(r"minilm-l6 +full-finetune +\*9\d\.\d +oom +4\d\.\d$", after, re.MULTILINE)
    assert re.search(r"minilm-l6 +from-scratch +\d\d\.\d +· +·$", after, re.MULTILINE)


def test_standings_stay_small(made):
    many = [made.cell(strategy=f"s{i:02}") for i in range(40)]
    text = shown(standings(frame([], many), max_rows=8))
    assert len(text.splitlines()) == 9
    assert "and 33 more" in text


def test_standings_give_the_best_of_each_task_where_the_matrix_is_too_wide(made):
    records = [made.record(made.cell(f"task-{i}"), made.answers(f"task-{i}")) for i in range(20)]
    text = shown(standings(frame(records), max_rows=8), 60)
    assert len(text.splitlines()) == 9
    assert re.search(r"task-0 +minilm-l6 linear-probe +\d\d\.\d +1/1", text)
    assert "and 13 more" in text


def test_hostile_names_are_shown_as_written_in_the_terminal(hostile):
    for each in (leaderboard(hostile), standings(hostile, 50)):
        text = shown(each, 200, force_terminal=True, color_system=None)
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
        for name in ("bert[/foo]", "[red]x", "ansi", "<script>alert(1)</script>", "a|b`c", "xgnp next"):
            assert name in text


def test_markdown_is_the_same_bytes_whatever_the_order_of_the_records(made):
    cells_, records, kept = made.suite()
    pages = {
        markdown(frame(order, cells_, lambda r: kept.get(r.cell.id)), "glue-lite", "tlbench leaderboard")
        for order in (records, records[::-1])
    }
    assert len(pages) == 1
    page = pages.pop()
    assert page.startswith("# `glue-lite`\n\nMade by `tlbench leaderboard`: 9 of 10 cells.\n\n## Over all tasks\n")
    assert "| 1\u20132 | `minilm-l6` | `partial-finetune[stages=2]` | **9" in page
    assert "| not searched |" in page
    assert page.endswith(".\n")
    assert "\n\n\n" not in page


def test_markdown_tables_are_rectangular_and_hold_no_html(table, hostile):
    for each in (table, hostile):
        page = markdown(each, "<b>x</b>", "tlbench `x`", about="Scores are not GLUE scores.")
        assert "Scores are not GLUE scores." in page
        outside = re.sub(r"`[^`\n]*`", "", page)
        assert not re.search(r"[<\[\x1b\u202e]|https?:", outside.replace("x seeds", ""))
        for block in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_csv_reads_back_in_full_precision(table):
    read = pd.read_csv(io.StringIO(csv(table)), keep_default_na=False, na_values=[""])
    assert list(read.columns) == list(table.columns)
    assert read["value"].dropna().tolist() == table["value"].dropna().tolist()
    assert read["strategy"].tolist() == table["strategy"].tolist()
    assert csv(table) == csv(table)


def test_csv_holds_no_formula(hostile):
    page = csv(hostile)
    assert '"\'=HYPERLINK(1)"' in page
    assert not re.search(r'(?:^|,)"?[=+@]', page, re.MULTILINE)
    assert "\x1b" not in page


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (99.4, "99s"), (99.6, "1m40"), (3599, "59m59"), (3600, "1h00"),
    (3 * 3600 + 59 * 60 + 59, "4h00"), (400_000, "111h"), (None, "-"),
])  # fmt: skip
def test_seconds(value, text):
    assert cells.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (770, "770"), (1000, "1.0k"), (99_960, "100k"), (999_499, "999k"), (999_600, "1.0M"),
    (22_713_986, "22.7M"), (7_000_000_000, "7.0B"), (None, "-"),
])  # fmt: skip
def test_counts(value, text):
    assert cells.count(value) == text


def test_other_numbers():
    assert [cells.points(v) for v in (0.9123, -0.0001, 1.0, None)] == ["91.2", "0.0", "100.0", "-"]
    gains = [{"gain": value, "in_points": True} for value in (32.14, -0.04, -3.0, None)]
    assert [cells.gain(row) for row in gains] == ["+32.1", "+0.0", "-3.0", "-"]
    assert [cells.size(v) for v in (812_000_000, 999_600_000, 79_600_000_000, None)] == [
        "812 MB",
        "1.0 GB",
        "79.6 GB",
        "-",
    ]
    assert cells.interval({"low": 0.881, "high": 0.939, "in_points": True}) == "88.1\u201393.9"
    assert cells.interval({"low": 0.881, "high": 0.939, "in_points": False}) == "0.881\u20130.939"
    assert list(cells.footnotes([{"notes": "; ".join(f"n{i}" for i in range(28))}]).values())[-3:] == ["z", "aa", "ab"]
