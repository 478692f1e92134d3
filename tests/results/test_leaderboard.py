"""The leaderboard frame: values, order of rows, ranks, gains, and notes on rows that cannot be compared."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from tlbench.contracts.cell import Ref
from tlbench.metrics import METRICS
from tlbench.results.columns import COLUMNS, rows_of, with_metrics
from tlbench.results.leaderboard import frame, progress
from tlbench.results.over_tasks import summary
from tlbench.results.ranking import by_intervals
from tlbench.results.records.summaries import summaries_of


@pytest.fixture(scope="module")
def table(made):
    cells, records, kept = made.suite()
    return frame(records, cells, lambda record: kept.get(record.cell.id))


def row(table, task, strategy):
    found = [r for r in rows_of(table) if (r["task"], r["strategy"]) == (task, strategy)]
    assert len(found) == 1
    return found[0]


def test_every_cell_stands_in_the_table_in_the_order_of_the_plan_and_of_rank(table):
    assert list(table.columns) == list(with_metrics(["matthews"]))
    assert table["task"].tolist() == ["sst2-lite"] * 5 + ["cola-lite"] * 5
    assert table["status"].tolist() == ["ok"] * 8 + ["oom", "pending"]
    assert progress(table) == (9, 10)
    # The rows of one seed, without a rank, have the lowest scores here.
    assert [r["rank"] for r in rows_of(table)[:5]] == [1, 1, 3, None, None]


def test_near_equals_share_a_rank_and_failures_stand_last_without_one(table):
    best = row(table, "sst2-lite", "full-finetune"), row(table, "sst2-lite", "partial-finetune[stages=2]")
    assert [(r["rank"], r["rank_last"], r["ranked_by"]) for r in best] == [(1, 2, "paired test")] * 2
    assert row(table, "sst2-lite", "linear-probe")["rank"] == 3
    failed = row(table, "cola-lite", "full-finetune")
    assert (failed["rank"], failed["rank_last"], failed["value"]) == (None, None, None)
    assert (failed["ranked_by"], failed["reason"]) == ("", "out of memory")
    assert row(table, "cola-lite", "from-scratch")["rank"] is None


def test_a_row_says_what_was_measured(table, made):
    found = row(table, "cola-lite", "linear-probe")
    assert found["metric"] == "matthews"
    assert found["low"] < found["value"] < found["high"]
    assert found["seed_min"] <= found["value"] <= found["seed_max"]
    assert found["value"] == found["metric.matthews"] != found["metric.accuracy"]
    assert (found["n"], found["seeds"], found["seeds_planned"]) == (400, 2, 2)
    assert (found["trials"], found["searched"]) == (16, True)
    assert (found["host_peak_bytes"], found["host_own_bytes"]) == (812_000_000, 480_000_000)
    assert (found["encode_seconds"], found["encode_paid_seconds"], found["total_seconds"]) == (8.1, 2.0, 170.0)
    assert (found["parameters"], found["trainable_parameters"]) == (22_713_986, 770)
    assert found["device_allocated_bytes"] is None
    assert row(table, "sst2-lite", "majority")["backbone"] == ""
    assert row(table, "sst2-lite", "from-scratch")["seed_std"] is None


@pytest.mark.parametrize(
    ("params", "searched"), [([], False), ([{"lr": 1.0}], False), ([{}, {}], False), ([{"lr": 1.0}, {"lr": 2.0}], True)]
)
def test_one_setting_is_not_searched(made, params, searched):
    trials = made.record(made.cell(), trials=1).trials
    fits = tuple(msgspec.structs.replace(trials[0], params=chosen, trial=i) for i, chosen in enumerate(params))
    record = msgspec.structs.replace(made.record(made.cell(), made.answers()), trials=fits)
    assert rows_of(frame([record]))[0]["searched"] is searched


def test_the_gain_is_over_from_scratch_with_the_same_backbone(table):
    scratch = row(table, "sst2-lite", "from-scratch")
    tuned = row(table, "sst2-lite", "full-finetune")
    assert tuned["gain"] == pytest.approx(100 * (tuned["value"] - scratch["value"]))
    assert scratch["gain"] is None
    assert row(table, "sst2-lite", "majority")["gain"] is None
    assert row(table, "cola-lite", "linear-probe")["gain"] is None


def test_the_gain_is_over_the_best_from_scratch(made):
    poor = made.record(made.cell(strategy="from-scratch", max_steps=10), made.answers(accuracy=0.5))
    fair = made.record(made.cell(strategy="from-scratch[lr=1]", max_steps=99), made.answers(accuracy=0.7))
    probe = made.record(made.cell(), made.answers(accuracy=0.8))
    rows = {r["strategy"]: r for r in rows_of(frame([poor, fair, probe]))}
    expected = 100 * (rows["linear-probe"]["value"] - rows["from-scratch[lr=1]"]["value"])
    assert rows["linear-probe"]["gain"] == pytest.approx(expected)


def test_no_gain_goes_between_training_sets_or_test_splits_and_their_size_is_shown(made):
    def cell(strategy, limit):
        return made.cell(strategy=strategy, train_limit=limit)

    def record(strategy, limit, accuracy, test="cafe"):
        plain = made.record(cell(strategy, limit), made.answers(accuracy=accuracy))
        return msgspec.structs.replace(plain, provenance=msgspec.structs.replace(made.provenance, data={"test": test}))

    table = frame([
        record("from-scratch", 100, 0.55), record("full-finetune", 100, 0.7),
        record("from-scratch", 10_000, 0.8), record("full-finetune", 10_000, 0.9),
        record("linear-probe", 10_000, 0.85, test="another"), record("mlp-probe", None, 0.95),
    ])  # fmt: skip
    rows = {(r["strategy"], r["variant"]): r for r in rows_of(table)}
    for limit in (100, 10_000):
        tuned, scratch = (rows[name, f"train_limit={limit}"] for name in ("full-finetune", "from-scratch"))
        assert tuned["gain"] == pytest.approx(100 * (tuned["value"] - scratch["value"]))
    assert rows["linear-probe", "train_limit=10000"]["gain"] is None
    assert rows["mlp-probe", "train_limit=all"]["gain"] is None


def test_intervals_that_stand_in_for_a_test_know_of_the_seeds(made):
    summary, apart = summaries_of([made.record(made.cell(), made.answers(accuracy=0.9))]).cells[0], 0.1
    summary = msgspec.structs.replace(summary, value=0.6, low=0.57, high=0.63, seed_std=0.0, seeds=3)
    other = msgspec.structs.replace(summary, cell="other", value=0.6 - apart, low=0.57 - apart, high=0.63 - apart)
    assert [place.rank for place in by_intervals(METRICS["accuracy"], [summary, other])] == [1, 2]
    noisy = msgspec.structs.replace(other, seed_std=0.3)
    assert [place.rank for place in by_intervals(METRICS["accuracy"], [summary, noisy])] == [1, 1]
    assert [place.rank for place in by_intervals(METRICS["accuracy"], [noisy, summary])] == [1, 1]


def test_rows_made_differently_are_marked(table, made):
    assert row(table, "sst2-lite", "linear-probe")["notes"] == "threads 2, not 1"
    assert row(table, "sst2-lite", "full-finetune")["notes"] == ""
    other = msgspec.structs.replace(
        made.provenance,
        distributions={"tlbench": "0.1.0", "torch": "2.6.0", "peft": "1"},
        data={"test": "beef"},
    )
    records = [made.record(made.cell(strategy=s), made.answers(draw=i)) for i, s in enumerate(("a", "b"))]
    records.append(made.record(made.cell(strategy="c"), made.answers(draw=3), provenance=other))
    notes = {r["strategy"]: r["notes"] for r in rows_of(frame(records))}
    assert notes == {"a": "", "b": "", "c": "other test data of sst2-lite; torch 2.6.0, not 2.15.0"}


def test_another_task_has_other_data_and_that_is_no_difference(made):
    other = msgspec.structs.replace(made.provenance, data={"test": "beef"})
    records = [
        made.record(made.cell("sst2-lite"), made.answers()),
        made.record(made.cell("rte-lite"), made.answers("rte-lite"), provenance=other),
    ]
    assert {r["notes"] for r in rows_of(frame(records))} == {""}


def test_the_newest_attempt_counts(made):
    old = made.record(made.cell(), made.answers(accuracy=0.5))
    new = msgspec.structs.replace(made.record(made.cell(), made.answers(accuracy=0.9)), attempt=2)
    for records in ([old, new], [new, old]):
        table = frame(records)
        assert len(table) == 1
        assert table["value"][0] > 0.8


def test_cells_of_one_name_say_in_what_they_differ(made):
    records = [
        made.record(made.cell(trials=1), made.answers(draw=1)),
        made.record(made.cell(trials=16), made.answers(draw=2), trials=16),
        made.record(made.cell(strategy="lp-ft"), made.answers(draw=3)),
    ]
    table = frame(records)
    assert sorted(table["variant"]) == ["", "trials=1", "trials=16"]
    assert len(summary(table)) == 3


def test_versions_of_a_task_are_tasks_of_their_own(made):
    of = made.cell()
    newer = msgspec.structs.replace(of, task=Ref("sst2-lite", 2))
    table = frame([made.record(of, made.answers()), made.record(newer, made.answers(accuracy=0.6))])
    assert table["task"].tolist() == ["sst2-lite (version 1)", "sst2-lite (version 2)"]
    assert table["rank"].tolist() == [1, 1]


def test_without_a_plan_tasks_stand_in_alphabetical_order_and_all_cells_count(made):
    _, records, _ = made.suite()
    table = frame(reversed(records))
    assert list(dict.fromkeys(table["task"])) == ["cola-lite", "sst2-lite"]
    assert progress(table) == (9, 9)
    assert set(table["ranked_by"]) == {"intervals", "one seed", ""}
    assert rows_of(table) == rows_of(frame(records))


def test_records_of_another_plan_are_shown_and_not_counted(made):
    cells, records, _ = made.suite()
    assert progress(frame(records, cells[:3])) == (3, 3)
    assert len(frame(records, cells[:3])) == 9


def test_nothing_is_a_table_too():
    table = frame([])
    assert list(table.columns) == list(COLUMNS)
    assert progress(table) == (0, 0)
    assert len(summary(table)) == 0


def test_predictions_that_are_none_or_of_another_record_are_not_used(made):
    cells = [made.cell(strategy=s) for s in ("a", "b")]
    kept = {c.id: made.answers(draw=i) for i, c in enumerate(cells)}
    records = [made.record(c, kept[c.id]) for c in cells]
    broken = [
        None,
        kept[cells[1].id].drop(columns="value"),
        kept[cells[1].id].iloc[:0],
        kept[cells[1].id].iloc[:-1],
        kept[cells[1].id].assign(value="=1+1"),
        kept[cells[1].id].assign(value=float("nan")),
        kept[cells[1].id].assign(value=0),
    ]
    assert set(frame(records, predictions=lambda r: kept[r.cell.id])["ranked_by"]) == {"paired test"}
    for instead in broken:
        found = frame(records, predictions=lambda r, i=instead: kept[r.cell.id] if r.cell == cells[0] else i)
        assert set(found["ranked_by"]) == {"intervals"}


def test_answers_in_another_order_are_still_pairs(made):
    cells = [made.cell(strategy=s) for s in ("a", "b")]
    kept = {c.id: made.answers(draw=i) for i, c in enumerate(cells)}
    shuffled = {**kept, cells[1].id: kept[cells[1].id].sample(frac=1, random_state=0)}
    records = [made.record(c, kept[c.id]) for c in cells]
    straight, mixed = (frame(records, predictions=lambda r, k=k: k[r.cell.id]) for k in (kept, shuffled))
    assert rows_of(straight) == rows_of(mixed)


def test_predictions_of_numbers_are_ranked(made):
    cells = [made.cell("stsb-lite", s) for s in ("a", "b")]
    kept = {c.id: made.answers("stsb-lite", a, scalar=True) for c, a in zip(cells, (0.9, 0.5), strict=True)}
    records = [made.record(c, kept[c.id], ("pearson", "spearman")) for c in cells]
    table = frame(records, predictions=lambda r: kept[r.cell.id])
    assert table["rank"].tolist() == [1, 2]
    assert set(table["ranked_by"]) == {"paired test"}


def test_an_ok_record_without_a_score_is_a_failure(made):
    found = rows_of(frame([made.record(made.cell(), None)]))[0]
    assert (found["status"], found["reason"]) == ("failed", "a record without a test score")


def test_a_metric_of_the_future_does_not_break_the_table(made):
    record = msgspec.structs.replace(made.record(made.cell(), made.answers()), metrics=("bertscore",))
    strange = msgspec.structs.replace(
        record, scores=tuple(msgspec.structs.replace(s, metric="bertscore") for s in record.scores)
    )
    found = rows_of(frame([strange]))[0]
    assert (found["metric"], found["rank"]) == ("bertscore", None)
    assert found["value"] > 0.8


def test_the_summary_counts_failures_as_worst_and_missing_tasks(table):
    rows = {r["strategy"]: r for r in rows_of(summary(table))}
    assert list(rows)[-1] == "from-scratch"
    tuned = rows["full-finetune"]
    assert (tuned["tasks"], tuned["tasks_total"], tuned["failed"], tuned["wins"]) == (1, 2, 1, 0)
    floor, best = (row(table, "sst2-lite", name)["value"] for name in ("majority", "full-finetune"))
    assert tuned["mean"] == pytest.approx((best - floor) / (1 - floor) / 2)
    assert tuned["mean_rank"] == pytest.approx((1 + 4) / 2)
    assert rows["partial-finetune[stages=2]"]["wins"] == 1
    assert (rows["from-scratch"]["tasks"], rows["from-scratch"]["failed"]) == (1, 0)


def test_reading_results_imports_nothing_heavy():
    code = (
        "import sys; import tlbench.results.leaderboard, tlbench.results.over_tasks\n"
        "assert not {'pandas', 'numpy', 'rich'} & set(sys.modules), 'light until used'\n"
        "import tlbench.results.stats, tlbench.results.render.formats.terminal, tlbench.results.render.page\n"
        "import tlbench.results.render.formats.csv, tlbench.results.render.standings\n"
        "tlbench.results.leaderboard.frame([])\n"
        "print(sorted({'torch', 'transformers', 'optuna', 'evaluate', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_search_that_a_time_limit_stopped_says_so_in_its_row(made):
    from tlbench.results.render.page import Page

    stopped = made.record(made.cell(strategy="tuned", trials=16), made.answers(), trials=5, trials_planned=16)
    first = made.record(made.cell(strategy="slow", trials=16), made.answers(), trials=1, trials_planned=16)
    whole = made.record(made.cell(trials=16), made.answers(), trials=16)
    table = frame([stopped, first, whole])
    rows = {r["strategy"]: r for r in rows_of(table)}
    assert (rows["tuned"]["trials"], rows["tuned"]["trials_planned"]) == (5, 16)
    assert rows["tuned"]["notes"] == "stopped after 5 of 16 trials"
    assert (rows["linear-probe"]["trials_planned"], rows["linear-probe"]["notes"]) == (None, "")
    page = Page(table)
    shown = {line.values["strategy"].value: line.values["trials"].text for line in page.sections[0].lines}
    assert shown == {"tuned": "5/16", "slow": "1/16", "linear-probe": "16"}
    assert not any("not searched" in sentence for sentence in page.legend)


@pytest.mark.parametrize("status", ["failed", "timeout", "oom", "diverged", "crashed"])
def test_a_cell_without_a_score_has_no_rank_in_any_format(made, status):
    import csv
    import io
    import json

    from tlbench.results.render.formats import FORMATS
    from tlbench.results.render.page import Page

    failed = [made.record(made.cell(strategy=name), status=status) for name in ("one", "two")]
    page = Page(frame([made.record(made.cell(), made.answers()), *failed]))
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(page))))
    assert [(r["rank"], r["status"]) for r in rows] == [("1", "ok"), ("", status), ("", status)]
    (task,) = json.loads(FORMATS["json"].render(page))["tasks"]
    ranks = [line["values"]["rank"] for line in task["rows"]]
    assert [(rank["value"], rank["text"]) for rank in ranks] == [(1, "1"), (None, "-"), (None, "-")]
    assert FORMATS["markdown"].render(page).count(f"| - | `minilm-l6` | `one` | {status} |") == 1
    # The terminal and the picture draw these texts.
    assert [line.values["rank"].text for line in page.sections[0].lines] == ["1", "-", "-"]
    assert [line.is_best for line in page.sections[0].lines] == [True, False, False]
