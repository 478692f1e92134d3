"""`tlbench leaderboard` with chosen tasks, rows, columns and metrics, and `tlbench show` with a beginning of an id."""

import csv
import io
import itertools
import json

import msgspec
import pytest

from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref
from tlbench.contracts.record import Record, TestScore
from tlbench.results.records.store import Store

SEEDS = (0, 1, 2)
"""A strategy has a rank from three seeds on."""
REVIEWS = "csv:/data/reviews.csv@b00e98893bfe[label=Category]"


def record(task, strategy, backbone, value, metrics=("accuracy", "f1")):
    cell = Cell(Ref(task), Ref(strategy), Protocol(seeds=SEEDS), Ref(backbone) if backbone else None)
    # F1 ranks the other way round, to tell the metrics apart.
    values = dict(zip(metrics, (value, 1 - value), strict=False))
    scores = tuple(
        TestScore(name, seed, one, one - 0.01, one + 0.01, 100) for name, one in values.items() for seed in SEEDS
    )
    return Record(cell, "ok", metrics=metrics, scores=scores, parameters=1000)


RUN = [
    record("toy-tone", "toy-fit", "toy", 0.9),
    record("toy-tone", "toy-tune", "toy", 0.8),
    record("toy-tone", "toy-majority", None, 0.5),
    record("toy-count", "toy-fit", "toy", 0.7, ("pearson",)),
]
EARLIER = [record(REVIEWS, "linear-probe", "minilm-l0", 0.9)]


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TLBENCH_OUT", str(tmp_path / "out"))
    store = Store.create(tmp_path / "out")
    for one in (*RUN, *EARLIER):
        assert store.commit(one, tmp_path)
    store.save_plan(Plan("toys", tuple(one.cell for one in RUN)))
    return tmp_path / "out"


@pytest.fixture
def shown(out, capsys):
    def call(*arguments, status=0):
        capsys.readouterr()
        assert _main(["leaderboard", *arguments]) == status
        captured = capsys.readouterr()
        return captured.err if status else " ".join(captured.out.split())

    return call


@pytest.fixture
def rows(shown, capsys):
    """Returns (task, strategy, rank) of the rows of a leaderboard."""

    def call(*arguments):
        capsys.readouterr()
        assert _main(["leaderboard", "-f", "csv", *arguments]) == 0
        return [
            (row["task"], row["strategy"], row["rank"]) for row in csv.DictReader(io.StringIO(capsys.readouterr().out))
        ]

    return call


TONE = [("toy-tone", "toy-fit", "1"), ("toy-tone", "toy-tune", "2"), ("toy-tone", "toy-majority", "3")]
COUNT = [("toy-count", "toy-fit", "1")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], TONE + COUNT),
        (["-t", "toy-tone"], TONE),
        (["-t", "toy-c*", "-t", "toy-tone"], TONE + COUNT),
        (["-S", "toy-tune"], TONE[1:]),
        (["-S", "toy-t*", "--filter", "backbone=toy"], TONE[1:2]),
        (["-b", "toy", "--filter", "score<85"], TONE[1:] + COUNT),
        (["--filter", "accuracy>60", "--filter", "accuracy<85"], TONE[1:2]),
        (["--sort", "-score"], [*reversed(TONE), *COUNT]),
        (["--metric", "f1"], [(task, name, str(4 - int(rank))) for task, name, rank in reversed(TONE)]),
        (["--all", "-t", "csv:reviews.csv"], [(REVIEWS, "linear-probe", "1")]),
        (["--all", "-t", "csv:/data/reviews.csv"], [(REVIEWS, "linear-probe", "1")]),
    ],
)
def test_hidden_rows_leave_the_ranks_as_they_are(rows, arguments, expected):
    assert rows(*arguments) == expected


def test_a_table_says_how_many_rows_are_hidden_and_where_more_records_are(shown):
    assert "hidden by" not in shown()
    assert shown().endswith("1 more record here: --all")
    text = shown("-t", "toy-tone", "-S", "toy-tune")
    assert "2 rows are hidden by --task and --strategy; ranks are among all rows." in text
    assert "more record" not in shown("--all")
    # A page that is committed must not change with every other run in its folder.
    assert "more record" not in shown("-f", "markdown")


def test_a_command_in_a_page_repeats_the_options(shown):
    command = "tlbench leaderboard --task 'toy-t*' --filter 'score>1' --columns strategy,score"
    assert command in shown("-f", "markdown", "-t", "toy-t*", "--filter", "score>1", "--columns", "strategy,score")


def test_chosen_columns_are_shown_in_their_order(shown, capsys):
    text = shown("-t", "toy-tone", "--columns", "strategy,cell,parameters,metric.f1,score")
    assert f"strategy cell parameters metric.f1 score toy-fit {RUN[0].cell.id} 1.0k 0.1 90.0" in text
    _main(["leaderboard", "-f", "csv", "-t", "toy-tone", "--columns", "strategy,score,interval"])
    assert capsys.readouterr().out.splitlines()[:2] == ['"strategy","value","low","high"', '"toy-fit",0.9,0.89,0.91']


def test_beginnings_of_ids_in_the_table_are_those_that_show_takes(out, shown, capsys):
    ids = [one.cell.id for one in (*RUN, *EARLIER)]
    digits = next(n for n in itertools.count(4) if len({one[:n] for one in ids}) == len(ids))
    text = shown()
    for one in RUN:
        assert f" {one.cell.id[:digits]} " in f"{text} "
        assert _main(["show", one.cell.id[:digits]]) == 0
        assert one.cell.id in capsys.readouterr().out
    assert _main(["show", "0" * 15]) == 2
    assert "unknown name '000000000000000', nor is it the id of a cell in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-t", "csv:reviews.csv"],
            "no record of the task csv:reviews.csv; there is toy-count, toy-tone; other runs in",
        ),
        (["-t", "toy-tune"], "no record of the task toy-tune; did you mean toy-tone"),
        (["-S", "toy-foot"], "no record of the strategy toy-foot; did you mean toy-fit"),
        (["-b", "toy*x"], "no record of the backbone toy*x; did you mean toy"),
        (["--filter", "score>99"], "none of the 4 rows matches --filter"),
        (["--metric", "f2"], "--metric f2: no record here has it; did you mean f1?"),
        (["--sort", "scor"], "--sort scor: no column 'scor'; did you mean score"),
        (["--columns", "scor"], "--columns: no column 'scor'; did you mean score"),
    ],
)
def test_what_matches_nothing_is_one_line_that_names_what_there_is(shown, arguments, message):
    error = shown(*arguments, status=2)
    assert message in error
    assert error.count("\n") == 1


def test_cells_without_the_metric_are_named_and_left_out(shown, capsys, out):
    capsys.readouterr()
    assert _main(["leaderboard", "--metric", "f1"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "tlbench: toy-count: 1 cell has no f1 on record and is left out\n"
    assert "toy-count" not in captured.out


def test_a_folder_without_records_names_the_command_that_makes_some(tmp_path, capsys):
    folder = tmp_path / "new"
    for make in (lambda: None, lambda: Store.create(folder)):
        make()
        assert _main(["leaderboard", "--out", str(folder)]) == 2
        assert f"here yet; `tlbench run --out {folder}` makes some" in capsys.readouterr().err
    assert _main(["show", "0" * 16, "--out", str(folder)]) == 2
    assert "`tlbench leaderboard --all` shows the ids there are" in capsys.readouterr().err


def test_a_record_that_cannot_be_read_comes_with_what_to_do(shown, capsys, out):
    paths = [out / "records" / f"{one.cell.id}.1.json" for one in RUN[:2]]
    paths[0].write_text("{")
    paths[1].write_bytes(msgspec.json.encode({**msgspec.to_builtins(RUN[1]), "format": 99}))
    capsys.readouterr()
    assert _main(["leaderboard"]) == 0
    error = capsys.readouterr().err
    assert "is damaged: " in error
    assert "it is left out: `tlbench run` runs the cell again" in error
    assert "was made by a newer tlbench: it is of format 99" in error
    assert "it is left out: upgrade tlbench to read it" in error


def test_an_ensemble_or_a_column_without_validation_predictions_says_so(out, capsys):
    arguments = ["--ensemble", "--columns", "strategy,temperature", "--sort", "temperature"]
    assert _main(["leaderboard", *arguments, "-f", "markdown"]) == 0
    captured = capsys.readouterr()
    assert "temperature: 4 cells without values: no validation predictions" in captured.err
    assert "toy-tone: no ensemble: it takes two cells with validation predictions" in captured.err
    assert "tlbench leaderboard --sort temperature --columns strategy,temperature --ensemble" in captured.out
    assert "temperature: fitted on validation (Guo et al. 2017)" in captured.out
    assert _main(["leaderboard", *arguments, "-f", "csv"]) == 0
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == ["strategy", "temperature"]
    assert [row[1] for row in rows] == [""] * 4


def test_a_margin_is_part_of_the_command_and_must_be_a_number(out, capsys):
    assert _main(["leaderboard", "--out", str(out), "--margin", "2", "--margin", "accuracy=0.5", "-f", "markdown"]) == 0
    assert "tlbench leaderboard --margin 2 --margin accuracy=0.5" in capsys.readouterr().out
    assert _main(["leaderboard", "--out", str(out), "--margin", "much"]) == 2
    assert "--margin much: expected a number above 0" in capsys.readouterr().err


def test_a_cell_and_a_name_are_shown_as_json(out, capsys):
    cell_id = RUN[0].cell.id
    assert _main(["show", cell_id[:8], "--out", str(out), "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["cell"] == cell_id
    assert _main(["show", "toy-fit", "--out", str(out), "-f", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["found"]
    assert (found["kind"], found["facts"]["strategy"]) == ("strategy", ["toy-fit"])


def test_a_front_and_the_best_of_each_keep_ranks_and_say_what_they_hide(rows, shown):
    # All rows of the records cost the same, so that only the best score of each task is on the front.
    assert rows("--pareto") == [TONE[0], *COUNT]
    assert rows("--by", "backbone") == [TONE[0], TONE[2], *COUNT]
    text = shown("--pareto", "-f", "markdown")
    assert "2 rows are hidden by --pareto; ranks are among all rows." in text
    assert "tlbench leaderboard --pareto" in text
    assert "--cost parameters --pareto" in shown("--cost", "parameters", "-f", "markdown")
    assert "no column 'prize'" in shown("--cost", "prize", status=2)
    assert "no number" in shown("--pareto", "--cost", "strategy", status=2)
    assert "no row has a score and a known device_memory" in shown("--cost", "device_memory", status=2)
    assert "no column 'bakbone'" in shown("--by", "bakbone", status=2)


def test_conditions_are_joined_by_words(rows, shown):
    assert rows("--filter", "score>=80 and not strategy=toy-tune") == [TONE[0]]
    assert rows("--filter", "(strategy=toy-tune or strategy='toy-majority') and score<70") == [TONE[2]]
    assert "not closed" in shown("--filter", "(score>=80", status=2)


def test_json_is_one_format_of_several(shown):
    assert json.loads(shown("--json")) == json.loads(shown("-f", "json"))
    assert "both choose a format" in shown("--json", "-f", "csv", status=2)


def test_tex_files_are_latex(out, shown, tmp_path):
    shown("-o", str(tmp_path / "board.tex"))
    text = (tmp_path / "board.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\bottomrule") == 3
    assert r"\textbf{90.0}" in text
