"""`tlbench compare`: cells, folders and files of answers, and the exit status of a regression."""

import json
import os

import pytest

from tests.results.conftest import answers, cell
from tests.results.stored import committed
from tlbench.cli.app import _main

GOOD, SAME, BAD = (
    answers(accuracy=share, seeds=(0, 1, 2), draw=draw) for share, draw in ((0.9, 0), (0.9, 1), (0.8, 2))
)
PROBE = cell(strategy="linear-probe")
TUNED = cell(strategy="full-finetune")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders: a probe and a fine-tuning, of which the second folder has a worse probe."""
    monkeypatch.chdir(tmp_path)
    committed(tmp_path / "a", [(PROBE, GOOD), (TUNED, GOOD)])
    committed(tmp_path / "b", [(PROBE, BAD), (TUNED, SAME)])
    return tmp_path


@pytest.fixture
def compare(capsys):
    """Calls the command; returns its status, and what it prints as JSON or, with text=True, as text."""

    def call(*arguments, text=False):
        capsys.readouterr()
        status = _main(["compare", *map(str, arguments), *([] if text else ["--json"])])
        captured = capsys.readouterr()
        if status == 2:
            assert captured.err.count("\n") == 1
            return status, captured.err
        return status, captured.out if text else json.loads(captured.out)

    return call


def test_a_folder_with_a_worse_cell_fails_and_says_which(folders, compare):
    status, found = compare("a", "b")
    assert (status, found["regressions"]) == (1, 1)
    verdicts = {one["a"]["cell"]["strategy"]: one["verdict"] for one in found["comparisons"]}
    assert verdicts["linear-probe"] == "regression"
    assert verdicts["full-finetune"] in {"equal", "not told apart"}
    worse = next(one for one in found["comparisons"] if one["verdict"] == "regression")
    assert worse["high"] < 0
    assert worse["p"] <= worse["corrected_p"] <= 0.05
    assert worse["a"]["costs"]["total_seconds"] == 170.0
    assert compare("b", "a")[0] == compare("a", "a")[0] == 0


def test_p_values_are_corrected_for_the_number_of_cells(folders, compare):
    found = compare("a", "b")[1]["comparisons"]
    raw = sorted(one["p"] for one in found)
    assert sorted(one["corrected_p"] for one in found) == pytest.approx([2 * raw[0], raw[1]])


def test_a_loss_within_the_margin_is_no_regression(folders, compare):
    status, found = compare("a", "b", "--margin", "0.2")
    assert status == 0
    assert "worse" in {one["verdict"] for one in found["comparisons"]}
    assert compare("a", "b", "--margin", "accuracy=0.2")[0] == 0


def test_cells_that_one_folder_has_alone_are_named(folders, compare):
    committed(folders / "c", [(TUNED, GOOD), (cell(task="cola-lite"), answers("cola-lite", 0.7))])
    status, found = compare("a", "c")
    assert status == 0
    assert [one["strategy"] for one in found["only_a"]] == ["linear-probe"]
    assert [one["task"] for one in found["only_b"]] == ["cola-lite"]
    text = compare("a", "c", text=True)[1]
    assert "only in A: sst2-lite | minilm-l6 | linear-probe" in text
    assert "only in B: cola-lite" in text


def test_a_cell_whose_protocol_changed_is_still_the_same_row(folders, compare):
    committed(folders / "c", [(cell(strategy="linear-probe", max_steps=7), BAD)])
    status, found = compare("a", "c")
    assert (status, len(found["comparisons"])) == (1, 1)
    assert found["comparisons"][0]["notes"] == [
        "the two cells differ in a version, or in the protocol (such as seeds, trials or steps)"
    ]


def test_a_cell_that_fails_now_is_a_regression(folders, compare):
    committed(folders / "c", [(PROBE, None), (TUNED, GOOD)])
    status, found = compare("a", "c")
    assert status == 1
    assert {one["verdict"] for one in found["comparisons"]} == {"lost", "equal"}
    assert "B: failed: it broke" in next(one["notes"] for one in found["comparisons"] if one["verdict"] == "lost")


def test_two_cells_are_compared_by_the_beginnings_of_their_ids(folders, compare):
    status, text = compare(PROBE.id[:9], f"b:{PROBE.id[:9]}", "--out", "a", text=True)
    assert status == 1
    for part in ("McNemar", "t test"):
        assert (part in text) == (part == "t test")
    assert "regression: B is worse than A by more than the margin of 1.0 points" in text
    assert "cost of B" in text
    status, found = compare(f"a:{PROBE.id}", f"a:{TUNED.id}")
    assert (status, found["comparisons"][0]["difference"]) == (0, 0)


def test_lists_of_solved_ids_are_tested_exactly(tmp_path, compare):
    both = [f"both-{i}" for i in range(40)]
    first, second = both + [f"a-{i}" for i in range(30)], both + [f"b-{i}" for i in range(12)]
    (tmp_path / "a.json").write_text(json.dumps(first))
    (tmp_path / "b.txt").write_text("\n".join(second))
    status, found = compare(tmp_path / "a.json", tmp_path / "b.txt", "--examples", "100")
    one = found["comparisons"][0]
    # The p-value is published to six digits for 30 and 12 (see results/comparison/test_discordance.py).
    assert (one["only_first"], one["only_second"], one["examples"]) == (30, 12, 100)
    assert one["p"] == pytest.approx(0.007916, abs=1e-6)
    assert (one["a"]["score"], one["b"]["score"], status) == (0.7, 0.52, 1)
    without = compare(tmp_path / "a.json", tmp_path / "b.txt")[1]["comparisons"][0]
    assert (without["p"], without["examples"]) == (one["p"], 82)
    assert "--examples N" in without["notes"][-1]
    assert compare(tmp_path / "a.json", tmp_path / "b.txt", "--examples", "50")[0] == 2


def test_a_side_that_solved_nothing_is_compared(tmp_path, compare):
    (tmp_path / "none.json").write_text('{"resolved_ids": []}')
    (tmp_path / "some.json").write_text('{"resolved_ids": ["x", "y"]}')
    (one,) = compare(tmp_path / "none.json", tmp_path / "some.json", "--examples", "10")[1]["comparisons"]
    assert (one["a"]["score"], one["b"]["score"], one["only_first"], one["only_second"]) == (0.0, 0.2, 0, 2)
    (one,) = compare(tmp_path / "none.json", tmp_path / "none.json", "--examples", "10")[1]["comparisons"]
    assert (one["verdict"], one["test"], one["examples"]) == ("equal", "equal answers", 10)


def test_equal_answers_are_called_so_and_not_practically_equal(folders, compare):
    (folders / "few.csv").write_text("id,correct\nx,1\ny,0\n")
    assert "equal: the same outcomes on all of these examples" in compare("few.csv", "few.csv", text=True)[1]
    assert "equal: the same answers on all of these" in compare(f"a:{PROBE.id}", f"a:{PROBE.id}", text=True)[1]


def test_published_lists_give_the_published_counts_and_p(tmp_path, compare):
    # Gaurav1112/rewardgate on GitHub: which of 15 bundles are judged exactly right, from docs/EVALUATION.md (11 of 15:
    # no contaminated history is found, one exploit is missed by both; 14 of 15) and results/rewardgate_audits.json.
    # REPRODUCTION.md: "McNemar exact p = 0.2500", "3 discordant pairs".
    kinds = ("clean", "clean-git-history", "contaminated-git", "nop-pass", "reward-hackable")
    bundles = [f"{name}-{kind}" for name in ("csvlite", "retrylite", "semverlite") for kind in kinds]
    right = [one for one in bundles if one != "retrylite-reward-hackable"]
    (tmp_path / "rewardgate.json").write_text(json.dumps(right))
    (tmp_path / "baseline.json").write_text(json.dumps([one for one in right if "contaminated" not in one]))
    found = compare(tmp_path / "baseline.json", tmp_path / "rewardgate.json", "--examples", "15")[1]["comparisons"][0]
    assert (found["only_first"], found["only_second"], found["p"]) == (0, 3, 0.25)
    assert (found["a"]["score"], found["b"]["score"]) == pytest.approx((11 / 15, 14 / 15))


def test_answers_are_compared_with_those_of_a_cell_or_with_gold(folders, compare):
    of_cell = GOOD[GOOD["seed"] == 0]
    rows = [f"{name},{target}" for name, target in zip(of_cell["id"], of_cell["target"], strict=True)]
    (folders / "mine.csv").write_text("\n".join(["id,answer", *rows]))
    status, found = compare(f"a:{PROBE.id}", "mine.csv")
    one = found["comparisons"][0]
    assert (status, one["b"]["score"], one["verdict"]) == (0, 1.0, "better")
    assert one["a"]["score"] == pytest.approx((GOOD["target"] == GOOD["value"]).mean())
    (folders / "gold.csv").write_text("\n".join(["id,target", *rows]))
    wrong = [f"{row.rpartition(',')[0]},9" for row in rows[:100]] + rows[100:]
    (folders / "worse.csv").write_text("\n".join(["id,answer", *wrong]))
    status, found = compare("mine.csv", "worse.csv", "--gold", "gold.csv")
    assert (status, found["comparisons"][0]["difference"]) == (1, -0.25)
    assert "--gold" in compare("mine.csv", "worse.csv")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a", "gone"), "no such file or folder, nor the id of a cell"),
        (("a", f"b:{PROBE.id}"), "is a folder"),
        (("a:0123", "a:4567"), "no cell whose id"),
        (("a", "b", "--margin", "1"), "for 1 points write 0.01"),
        (("a", "b", "--margin", "acuracy=0.1"), "no metric 'acuracy'"),
        (("a", "b", "--margin", "-0.1"), "expected a number from 0 on"),
        (("a", "b", "--metric", "acuracy"), "no such metric"),
        (("a", "b", "--examples", "9"), "are for files of answers"),
        (("a", "empty"), "no results here yet"),
        (("pipe", "none.json"), "neither a file nor a folder"),
        (("none.json", "none.json"), "list no solved example"),
        (("none.json", "none.json", "--examples", "99999999999"), "99999999999"),
    ],
)
def test_a_mistake_is_one_line(folders, compare, arguments, says):
    (folders / "empty").mkdir()
    (folders / "none.json").write_text('{"resolved_ids": []}')
    os.mkfifo(folders / "pipe")
    status, text = compare(*arguments)
    assert (status, says in text) == (2, True)


def test_hostile_names_change_no_terminal(folders, compare):
    evil = cell(task="t\x1b]8;;http://x\x07\x1b[2J\u202e", strategy="=cmd|' /C'!A0")
    for name, predictions in (("d", GOOD), ("e", BAD)):
        committed(folders / name, [(evil, predictions), (cell(task="x" * 300), predictions)])
    for arguments in (("d", "e"), (f"d:{evil.id}", f"e:{evil.id}")):
        status, text = compare(*arguments, text=True)
        assert (status, {"\x1b", "\x07", "\u202e"} & {*text}) == (1, set())


def test_predictions_that_are_gone_leave_the_difference_untested(folders, compare):
    for path in (folders / "b" / "records").glob("*.parquet"):
        path.unlink()
    status, found = compare("a", "b")
    assert (status, {one["verdict"] for one in found["comparisons"]}) == (0, {"not tested"})
    assert "B has no stored predictions" in found["comparisons"][0]["notes"]
