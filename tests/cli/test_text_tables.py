"""Listings and tables at the widths of terminals, and in pipes."""

from __future__ import annotations

import pytest

from tlbench.cli import text_tables
from tlbench.cli.app import _main
from tlbench.cli.text_tables import ListColumn, listing_lines, print_facts, print_rows

COLUMNS = (
    ListColumn("tasks"),
    ListColumn("kind"),
    ListColumn("metrics", drop=1),
    ListColumn("from", drop=2),
    ListColumn("about", is_shortened=True),
)
ROWS = (
    ("a-task-of-a-long-name", "classes (2)", "accuracy, f1_macro", "some-plugin 0.1.0", "Which of two classes " * 9),
    ("short", "span", "answer_f1", "some-plugin 0.1.0", "日本語 " * 30),
    ("broken", "failed: ZeroDivisionError: division by zero, for a reason that takes " + "very " * 20 + "long"),
)


@pytest.fixture
def terminal(monkeypatch):
    """Returns a function that makes stdout a terminal of some width."""

    def resize(width):
        monkeypatch.setattr(text_tables, "terminal_width", lambda: width)
        monkeypatch.setenv("COLUMNS", str(width))

    return resize


@pytest.mark.parametrize(
    ("width", "left_out"), [(60, ["metrics", "from"]), (80, ["metrics", "from"]), (105, ["from"]), (160, [])]
)
def test_a_listing_has_one_line_per_row_that_fits_and_whole_names(width, left_out):
    lines, missing = listing_lines(COLUMNS, ROWS, width)
    assert missing == left_out
    assert len(lines) == 4
    assert max(map(text_tables._cells, lines)) <= width
    assert [line.split()[0] for line in lines] == ["tasks", *(row[0] for row in ROWS)]
    assert [line.endswith("…") for line in lines] == [False, True, True, True]
    # A text is cut between two words.
    assert lines[1].removesuffix("…").split()[-1] in {"Which", "of", "two", "classes"}
    assert "failed: ZeroDivisionError:" in lines[3]


def test_names_are_whole_even_where_they_do_not_fit():
    lines, _ = listing_lines(COLUMNS, ROWS, 20)
    assert lines[1].startswith("a-task-of-a-long-name  classes (2)")


def test_a_pipe_gets_everything_in_full():
    lines, missing = listing_lines(COLUMNS, ROWS, None)
    assert not missing
    assert lines[1].endswith(ROWS[0][-1].strip())
    assert lines[1].index("classes (2)") == lines[2].index("span")
    assert lines[3].endswith("very long")


def test_a_listing_without_rows_has_its_headings():
    assert listing_lines(COLUMNS, (), 80) == (["tasks  kind  metrics  from  about"], [])


def test_a_table_wraps_between_words_or_not_at_all(terminal, capsys):
    rows = [("minilm-l6", "partial-finetune[stages=2]", "cola-lite, sst2-lite, mrpc-lite, rte-lite, stsb-lite")]
    terminal(60)
    print_rows(("backbone", "strategy", "tasks"), rows)
    words = capsys.readouterr().out.replace(",", " ").split()
    assert {"minilm-l6", "partial-finetune[stages=2]", "mrpc-lite", "stsb-lite"} <= set(words)
    # Too narrow for the longest words: one unwrapped line per row.
    terminal(30)
    print_rows(("backbone", "strategy", "tasks"), rows)
    assert capsys.readouterr().out.splitlines()[1].endswith(rows[0][2])


def test_facts_wrap_at_a_terminal_and_have_one_line_each_in_a_pipe(terminal, capsys):
    facts = [("task", "sst2-lite"), ("empty", ""), ("about", "Generated verdicts: " + "negation, " * 20)]
    print_facts(facts)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["task", "about"]
    terminal(40)
    print_facts([*facts, ("file", path := f"/{'folder/' * 9}suite.toml")])
    wrapped = capsys.readouterr().out.splitlines()
    assert len(wrapped) > 3
    assert max(map(len, wrapped[:-1])) <= 40
    # To be copied in one piece.
    assert wrapped[-1] == f"file   {path}"


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize("width", [80, 100, 160])
def test_every_task_and_backbone_is_one_line_of_the_terminal(terminal, monkeypatch, capsys, width):
    terminal(width)
    monkeypatch.setattr("tlbench.cli.browsing.list.terminal_width", lambda: width)
    assert _main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(text_tables._cells, lines)) <= width
    for name in ("zoo-tags", "zoo-many", "toy-tone", "small-bert", "zoo-tune"):
        assert sum(line.lstrip().startswith(f"{name} ") for line in lines) == 1
