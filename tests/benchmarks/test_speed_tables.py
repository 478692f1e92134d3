"""What the pairs of `benchmarks/speed` come to, how they are kept, and what the tables say of them."""

import msgspec
import pytest

from benchmarks.speed import driver, table
from benchmarks.speed.contest import Side
from benchmarks.speed.ledger import Ledger, Pair, Start
from benchmarks.speed.process import SideFailed, over_time
from benchmarks.speed.sides.job import CellReport
from benchmarks.speed.summary import growth, summarise

MACHINE = {
    "processor": "toy", "device": "cpu", "cores": 2, "memory_gib": 4, "system": "Linux", "python": "3.11",
    "versions": {"torch": "2"},
}  # fmt: skip
WORK = {"epochs": 3, "trials": 1, "corpus": "sst2", "model": "bert-base-random"}
SETTINGS = {"work": WORK, "precision": "fp32", "machine": MACHINE}
TARGETS = "01" * 50


def side(seconds, answers=TARGETS, seed=0, validation=0.5, peak=100 * 2**20):
    cells = (CellReport("full-finetune", validation, 1, 4, {str(seed): answers}),)
    return Side(seconds, seconds / 2, peak, (5, 5, 5, 5, 5, 10), cells)


def ledger(*pairs):
    kept = Ledger()
    for pair in pairs:
        kept = kept.with_pair("full", SETTINGS, TARGETS, pair)
    return kept


def test_ratios_are_of_pairs_and_the_peer_is_above():
    found = summarise(
        ledger(*(Pair(i, side(10.0), side(ours)) for i, ours in enumerate((20.0, 5.0, 40.0)))).rows["full"]
    )
    assert (found.whole.low, found.whole.median, found.whole.high) == (0.5, 2.0, 4.0)
    assert found.work.median == 2.0
    assert found.seconds == (10.0, 20.0)


def test_equal_answers_do_not_differ_and_opposite_ones_do():
    opposite = TARGETS.translate(str.maketrans("01", "10"))
    equal = summarise(ledger(Pair(0, side(1.0), side(1.0))).rows["full"]).scores
    apart = summarise(ledger(Pair(0, side(1.0), side(1.0, opposite))).rows["full"]).scores
    assert equal.p == 1.0
    assert apart.p < 0.001
    assert apart.test == (1.0, 0.0)
    assert apart.lowest.value == 1.0


def test_rounds_with_their_own_seeds_are_tested_together():
    wrong = "10" + TARGETS[2:]
    pairs = [Pair(i, side(1.0, seed=i), side(1.0, wrong if i else TARGETS, seed=i)) for i in range(3)]
    found = summarise(ledger(*pairs).rows["full"]).scores
    assert found.lowest.seeds == (3, 3)
    assert found.test[1] == pytest.approx((1 + 0.98 + 0.98) / 3)


def test_growth_compares_the_last_third_with_the_middle_one():
    assert growth((1, 1, 4, 4, 8, 6)) == 2.0
    assert growth((7,)) == 1.0


def test_memory_over_time_keeps_the_highest_of_each_part():
    assert over_time([1, 2], 10) == [1, 2]
    assert over_time(list(range(20)), 10) == list(range(1, 20, 2))


def test_a_pair_is_kept_and_found_by_its_settings(tmp_path):
    path = tmp_path / "results.json"
    ledger(Pair(0, side(1.0), side(2.0))).write(path)
    read = Ledger.read(path)
    assert list(read.measured("full", SETTINGS)) == [0]
    assert read.measured("full", {**SETTINGS, "precision": "bf16-autocast"}) == {}
    other = read.with_pair("full", {**SETTINGS, "precision": "bf16-autocast"}, TARGETS, Pair(1, side(1.0), side(2.0)))
    assert [pair.seed for pair in other.rows["full"].pairs] == [1]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"format": 1, "rows": {"full": 3}}')
    with pytest.raises(ValueError, match="no results of this benchmark"):
        Ledger.read(path)
    path.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99"):
        Ledger.read(path)


def test_the_tables_show_what_was_measured_and_name_what_was_not():
    shown = table.render(ledger(Pair(0, side(10.0), side(25.0, validation=0.25))))
    (line,) = [
        line for line in shown.splitlines() if "full fine-tuning, 4 trials | Trainer search, tuned | 1.3" in line
    ]
    assert "**2.50** (2.50 to 2.50)" in line
    assert "10.0 / 25.0" in line
    assert "0.500 / 0.250" in line
    assert "| linear probe, 20 trials | Trainer search, tuned | 80 or more | not measured yet |" in shown
    assert "BERT-base" not in shown


def on_gpu(device, **work):
    settings = {**SETTINGS, "machine": {**MACHINE, "device": device}, "work": {**WORK, **work}}
    timed = [msgspec.structs.replace(side(1.0), train_seconds=seconds, tokens=20_000) for seconds in (1.0, 2.0)]
    return table.render(Ledger().with_pair("bert-bare", settings, TARGETS, Pair(0, *timed)))


@pytest.mark.parametrize(
    ("device", "ours", "theirs"),
    # 6 x 85 million weights x 60,000 tokens in one second, of 989e12, 756e12, 835e12, 362e12 and 181e12
    [("NVIDIA H100 80GB HBM3", "3.1%", "1.5%"), ("NVIDIA H100 PCIe", "4.0%", "2.0%"),
     ("NVIDIA H100 NVL", "3.7%", "1.8%"), ("NVIDIA L40S", "8.4%", "4.2%"),
     ("NVIDIA L40", "16.9%", "8.4%"), ("another", "-", "-")],
)  # fmt: skip
def test_utilisation_is_of_the_device_s_own_rate(device, ours, theirs):
    assert f"| BERT-base, random weights, one trial | bare torch loop | {ours} | {theirs} |" in on_gpu(device)


def test_of_a_smaller_model_no_utilisation_is_shown():
    assert "FLOPs" in on_gpu("NVIDIA H100")
    assert "FLOPs" not in on_gpu("NVIDIA H100", model="tiny-random")


def test_made_up_sentences_are_named():
    assert "| BERT-base, random weights, one trial, made-up sentences |" in on_gpu("NVIDIA H100", corpus="generated")
    assert "made-up" not in on_gpu("NVIDIA H100")


def test_memory_that_could_not_be_read_is_no_figure():
    unread = Pair(0, side(1.0, peak=0), side(1.0))
    assert "| full fine-tuning, 4 trials | Trainer search, tuned | - | - | - |" in table.render(ledger(unread))
    assert summarise(ledger(unread, Pair(1, side(1.0), side(1.0))).rows["full"]).memory.peaks == (100 * 2**20,) * 2


def test_start_up_is_a_difference():
    shown = table.render(Ledger(start=Start(MACHINE, (0.3, 0.4), (0.1, 0.1))))
    assert "by 0.250 s (0.200 to 0.300, 2 times" in shown


def test_tables_go_between_their_marks():
    page = "a\n<!-- results.json: begin -->\nold\n<!-- results.json: end -->\nb"
    once = table.rewritten(page, "results.json", "new")
    assert once == "a\n<!-- results.json: begin -->\n\nnew\n\n<!-- results.json: end -->\nb"
    assert table.rewritten(once, "results.json", "new") == once
    with pytest.raises(ValueError, match="write between"):
        table.rewritten(page, "results-gpu.json", "new")


def test_the_readme_has_both_marks():
    page = (table.FOLDER / "README.md").read_text(encoding="utf-8")
    for name in (table.CPU_RESULTS, table.GPU_RESULTS):
        assert "new tables" in table.rewritten(page, name, "new tables")


def test_without_data_or_peers_a_row_is_skipped_with_its_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TLBENCH_DATA", raising=False)
    common = ["--work", str(tmp_path), "--out", str(tmp_path / "out.json")]
    assert driver.main(["--rows", "bare", "--data-root", str(tmp_path / "none"), *common]) == 1
    assert "skipped: bare: no SST-2/train.tsv" in capsys.readouterr().out
    monkeypatch.setitem(driver._PEERS, "loop", ("no_such_peer",))
    assert driver.main(["--quick", "--tiny", "--rows", "bare", *common]) == 1
    assert "skipped: bare: no_such_peer is not installed" in capsys.readouterr().out
    assert driver.main(["--rows", "nothing", *common]) == 2
    assert "no row 'nothing'" in capsys.readouterr().err


def test_what_is_measured_anew_makes_way_when_its_first_pair_is_there(tmp_path, monkeypatch):
    out = tmp_path / "quick.json"
    common = ["--quick", "--tiny", "--rows", "probe,bare", "--rounds", "1", "--work", str(tmp_path), "--out", str(out)]
    seconds = [1.0]

    def run(row, ring, seed):
        if row.name == "bare" and seconds[0] == 2.0:
            raise SideFailed("the peer broke")
        return side(seconds[0], "01" * 10, seed)

    monkeypatch.setattr(driver, "run_tlbench", run)
    monkeypatch.setattr(driver, "run_peer", run)

    def taken():
        return {name: [pair.peer.whole_seconds for pair in row.pairs] for name, row in Ledger.read(out).rows.items()}

    assert driver.main(common) == 0
    seconds[0] = 2.0
    assert driver.main([*common, "--fresh"]) == 1
    assert taken() == {"probe": [2.0], "bare": [1.0]}, "what could not be measured anew was given up"
    monkeypatch.setitem(driver._PEERS, "trainer", ("no_such_peer",))
    assert driver.main([*common, "--fresh"]) == 1
    assert taken() == {"probe": [2.0], "bare": [1.0]}


def test_what_other_code_took_is_no_round_of_this(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "run_tlbench", lambda row, ring, seed: side(1.0, "01" * 10, seed))
    monkeypatch.setattr(driver, "run_peer", lambda row, ring, seed: side(1.0, "01" * 10, seed))
    out = tmp_path / "quick.json"
    common = ["--quick", "--tiny", "--rows", "bare", "--work", str(tmp_path), "--out", str(out)]
    assert driver.main([*common, "--rounds", "2"]) == 0
    assert len(Ledger.read(out).rows["bare"].pairs) == 2
    monkeypatch.setattr(driver, "_code", lambda: "another")
    assert driver.main([*common, "--rounds", "1"]) == 0
    assert len(Ledger.read(out).rows["bare"].pairs) == 1


def test_machines_are_named_with_their_rows_where_there_are_several():
    pair = Pair(0, side(1.0), side(2.0))
    both = ledger(pair).with_pair("bare", {**SETTINGS, "machine": {**MACHINE, "processor": "other"}}, TARGETS, pair)
    both = msgspec.structs.replace(both, start=Start(MACHINE, (0.3,), (0.1,)))
    shown = table.render(both)
    assert "Machine of full, help: 2 cores of toy," in shown
    assert "Machine of bare: 2 cores of other," in shown
    assert "Machine: 2 cores of toy," in table.render(ledger(pair))


def test_rounds_alternate_and_what_was_measured_before_is_kept(tmp_path, monkeypatch, capsys):
    ran = []

    def fake(name):
        def run(row, ring, seed):
            ran.append((name, seed))
            return side(1.0, "01" * 10, seed)

        return run

    monkeypatch.setattr(driver, "run_tlbench", fake("tlbench"))
    monkeypatch.setattr(driver, "run_peer", fake("peer"))
    common = ["--quick", "--tiny", "--rows", "bare", "--work", str(tmp_path)]
    assert driver.main([*common, "--rounds", "2"]) == 0
    assert ran == [("tlbench", 0), ("peer", 0), ("tlbench", 1), ("peer", 1)]
    assert driver.main([*common, "--rounds", "3"]) == 0
    assert ran[4:] == [("tlbench", 2), ("peer", 2)]
    assert capsys.readouterr().out.count("was measured before") == 2
    assert driver.main([*common, "--rounds", "1", "--fresh"]) == 0
    assert ran[6:] == [("tlbench", 0), ("peer", 0)]


def test_a_side_that_fails_does_not_stop_the_other_rows(tmp_path, monkeypatch, capsys):
    def run(row, ring, seed):
        if row.name == "bare":
            raise SideFailed("no luck")
        return side(1.0, "01" * 10, seed)

    monkeypatch.setattr(driver, "run_tlbench", run)
    monkeypatch.setattr(driver, "run_peer", run)
    common = ["--quick", "--tiny", "--rows", "bare,sklearn", "--work", str(tmp_path)]
    assert driver.main(common) == 1
    assert "failed: bare: no luck" in capsys.readouterr().err
    assert list(Ledger.read(tmp_path / "quick.json").rows) == ["sklearn"]
