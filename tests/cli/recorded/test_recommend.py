"""`tlbench recommend`: the cheapest of the rows that tie, within limits."""

import json

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main
from tlbench.contracts.record import Memory, Seconds

BEST, CHEAP, WORSE, ALONE = (cell(strategy=name) for name in ("full-finetune", "linear-probe", "tfidf", "lp-ft"))
SEEDS = (0, 1, 2)


def costing(total, gigabytes=0.5, parameters=20_000_000):
    memory = Memory(host_own_bytes=int(gigabytes * 1e9))
    return {"seconds": Seconds(fit=1.0, total=total), "memory": memory, "parameters": parameters}


@pytest.fixture
def results(tmp_path):
    """A folder with a dear best row, a cheap row that ties with it, and a cheaper one that is much worse."""
    root = tmp_path / "out"
    committed(root, [(BEST, answers(accuracy=0.9, seeds=SEEDS))], **costing(900.0, 4.0, 110_000_000))
    committed(root, [(CHEAP, answers(accuracy=0.9, seeds=SEEDS, draw=1))], **costing(60.0))
    committed(root, [(WORSE, answers(accuracy=0.6, seeds=SEEDS, draw=2))], **costing(5.0, 0.1))
    committed(root, [(ALONE, None)])
    return root


@pytest.fixture
def recommend(results, capsys):
    """Calls the command; returns its status, and what it prints as JSON or, with text=True, as text."""

    def call(*arguments, text=False):
        capsys.readouterr()
        status = _main(["recommend", *arguments, "--out", str(results), *([] if text else ["--json"])])
        captured = capsys.readouterr()
        if status == 2:
            assert captured.err.count("\n") == 1
            return status, captured.err
        return status, captured.out if text else json.loads(captured.out)

    return call


def test_the_cheapest_of_the_rows_that_tie_is_taken(recommend):
    status, found = recommend()
    (task,) = found["tasks"]
    assert status == 0
    assert (task["take"]["strategy"], task["ties"], task["rows"], task["left_out"]) == ("linear-probe", 2, 3, 0)
    assert task["is_tested"]
    assert found["over_tasks"] == []
    text = recommend(text=True)[1]
    assert "linear-probe on minilm-l6" in text
    assert "2 rows tie of 3: the tests do not tell them apart" in text
    assert f"tlbench show {CHEAP.id[:4]}" in text
    assert text.count("\n") <= 12


def test_limits_leave_rows_out_and_ranks_are_among_the_rest(recommend):
    (task,) = recommend("--max-memory", "200MB")[1]["tasks"]
    assert (task["take"]["strategy"], task["take"]["rank"], task["left_out"]) == ("tfidf", 1, 2)
    assert task["best_beyond_limits"]["strategy"] in {"full-finetune", "linear-probe"}
    (task,) = recommend("--max-parameters", "30M", "--max-seconds", "100")[1]["tasks"]
    assert (task["take"]["strategy"], task["left_out"]) == ("linear-probe", 1)
    status, text = recommend("--max-seconds", "1", text=True)
    assert (status, "nothing: no row of sst2-lite is at most 1.0s" in text) == (1, True)


def test_several_tasks_are_a_line_each_and_a_combination_for_all(results, recommend):
    floor = cell(strategy="majority", backbone=None)
    other = cell("cola-lite", "majority", None)
    committed(results, [(floor, answers(accuracy=0.5, seeds=SEEDS, draw=3))], **costing(1.0))
    committed(results, [(other, answers("cola-lite", 0.5, SEEDS, draw=3))], **costing(1.0))
    committed(results, [(cell("cola-lite", "linear-probe"), answers("cola-lite", 0.85, SEEDS))], **costing(60.0))
    status, found = recommend()
    assert (status, {one["task"] for one in found["tasks"]}) == (0, {"sst2-lite", "cola-lite"})
    assert [one["strategy"] for one in found["over_tasks"]] == ["linear-probe"]
    assert "over all tasks: linear-probe on minilm-l6" in recommend(text=True)[1]
    assert [one["task"] for one in recommend("-t", "cola-*")[1]["tasks"]] == ["cola-lite"]


def test_rows_of_one_seed_are_not_tested_and_it_says_so(tmp_path, capsys):
    committed(tmp_path / "one", [(cell(seeds=(0,)), answers(seeds=(0,)))])
    assert _main(["recommend", "--out", str(tmp_path / "one")]) == 0
    assert "not tested: the rows have one seed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-t", "gone"), "no record of the task gone"),
        (("--max-memory", "much"), "--max-memory much"),
        (("--max-parameters", "many"), "--max-parameters many"),
    ],
)
def test_a_mistake_is_one_line(recommend, arguments, says):
    status, text = recommend(*arguments)
    assert (status, says in text) == (2, True)


def test_hostile_names_change_no_terminal(tmp_path, capsys):
    evil = cell(task="t\x1b[2J\u202e", strategy="s\x1b]8;;x\x07")
    committed(tmp_path / "evil", [(evil, answers(n=50))])
    assert _main(["recommend", "--out", str(tmp_path / "evil")]) == 0
    assert not {"\x1b", "\x07", "\u202e"} & {*capsys.readouterr().out}


def test_a_baseline_is_not_taken_only_because_there_are_few_examples(tmp_path, capsys):
    # Tests of all pairs at once tell nothing apart on so few examples; a test of the two alone does.
    root = tmp_path / "few"
    shares = {"full-finetune": 0.9, "lp-ft": 0.8, "linear-probe": 0.75, "tfidf": 0.6, "majority": 0.5}
    for place, (strategy, share) in enumerate(shares.items()):
        committed(root, [(cell(strategy=strategy), answers(accuracy=share, seeds=SEEDS, n=22))], **costing(9.0 - place))
    assert _main(["recommend", "--json", "--out", str(root)]) == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert _main(["leaderboard", "--all", "-f", "json", "--out", str(root)]) == 0
    (board,) = json.loads(capsys.readouterr().out)["tasks"]
    first = [row["values"]["strategy"]["value"] for row in board["rows"] if row["is_best"]]
    assert task["take"]["strategy"] in first
    assert task["ties"] < len(first)
    assert task["take"]["strategy"] != first[-1]


def test_rows_of_one_seed_are_said_not_to_be_compared(results, recommend):
    committed(results, [(cell(strategy="knn"), answers(accuracy=0.95, seeds=(0,), draw=4))], **costing(1.0))
    (task,) = recommend()[1]["tasks"]
    assert (task["take"]["strategy"], task["ties"], task["rows"], task["untested"]) == ("linear-probe", 2, 4, 1)
    text = recommend(text=True)[1]
    assert "2 rows tie of 3: the tests" in text
    assert "one other row has one seed, which no test compares: `tlbench run --seeds 3` tells" in text
    assert "knn on minilm-l6: 9" in text


def test_a_row_beside_rows_of_one_seed_alone_is_not_told_apart_from_anything(tmp_path, capsys):
    root = tmp_path / "out"
    committed(root, [(CHEAP, answers(accuracy=0.8, seeds=SEEDS))], **costing(60.0))
    committed(root, [(cell(strategy=name), answers(accuracy=0.9, seeds=(0,), draw=1)) for name in ("knn", "tfidf")])
    assert _main(["recommend", "--out", str(root)]) == 0
    text = capsys.readouterr().out
    assert "not tested: the other 2 rows have one seed, which no test compares" in text
    assert "tells it apart" not in text
