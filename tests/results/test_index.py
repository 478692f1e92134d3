"""The index saves reading records again, and an outdated, damaged or forged one never changes a table."""

import os
import subprocess
import sys

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tlbench.cli import leaderboard as board
from tlbench.cli.board.board_choice import BoardChoice
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Provenance
from tlbench.results import index, stored_leaderboard
from tlbench.results.index import NAME, Index
from tlbench.results.leaderboard import frame
from tlbench.results.records import parallel_reading as bulk
from tlbench.results.records.journal import remove_journal
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import summaries_of
from tlbench.system.integrity.sealed_json import sealed, unsealed

COUNT = 12


@pytest.fixture
def store(tmp_path, made, monkeypatch):
    monkeypatch.setattr(index, "MIN_RECORDS", 1)
    store = Store.create(tmp_path / "out")
    cells = [made.cell(strategy=f"s{i:02}") for i in range(COUNT)]
    for i, cell in enumerate(cells):
        commit(store, made, cell, made.answers(accuracy=0.6 + 0.02 * i, draw=i))
    store.save_plan(Plan("grown", tuple(cells)))
    return store


def commit(store, made, cell, answers, attempt=1):
    work = store.work(cell.id, attempt)
    work.mkdir(parents=True)
    pq.write_table(pa.Table.from_pandas(answers, preserve_index=False), work / "predictions.parquet")
    record = made.record(cell, answers)
    assert store.commit(msgspec.structs.replace(record, attempt=attempt, predictions="predictions.parquet"), work)


def csv(store, capsys, *tasks):
    capsys.readouterr()
    board.print_board(store.root, None, BoardChoice(tasks), False, "csv")
    return capsys.readouterr().out


@pytest.fixture
def counted(monkeypatch):
    """A list that gets the file name of each record read during the test, and "ranks" for each ranking."""
    names = []
    read, ranked = Store.read, stored_leaderboard.by_predictions

    def reads(self, name):
        names.append(name)
        return read(self, name)

    def ranks(*args):
        names.append("ranks")
        return ranked(*args)

    monkeypatch.setattr(Store, "read", reads)
    monkeypatch.setattr(stored_leaderboard, "by_predictions", ranks)
    return names


@pytest.fixture
def indexed(store, capsys, counted):
    remove_journal(store.root)
    first = csv(store, capsys)
    assert (len(counted), counted[-1]) == (COUNT + 1, "ranks")
    assert "paired test" in first
    counted.clear()
    return first


def test_indexed_records_are_not_read_again_and_gives_the_same_bytes(store, indexed, counted, capsys):
    assert csv(store, capsys) == indexed
    assert counted == []


def test_an_index_says_what_the_records_say(store, indexed):
    summaries = Index(store).summaries(pytest.fail)
    assert summaries.cells == summaries_of(store.records()).cells
    assert summaries.settings == summaries_of(store.records()).settings
    assert summaries.provenances == summaries_of(store.records()).provenances


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: content.replace(b"tlbench index ", b"tlbench index 0"),
        lambda content: b"tlbench index ",
        lambda content: index._head(b"\x91\x01") + b"\x91\x01",
        lambda content: index._head(b"\x90") + b"\x90" + b"\x00",
    ],
    ids=["empty", "half", "a flipped bit", "another head", "a head alone", "of another shape", "with a tail"],
)
def test_a_damaged_index_is_rebuilt(store, indexed, counted, capsys, damage):
    path = store.root / NAME
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert csv(store, capsys) == indexed
    assert len(counted) == COUNT + 1
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [
        lambda summaries: summaries.settings.clear(),
        lambda summaries: summaries.provenances.update(
            {key: Provenance(device="another") for key in summaries.provenances}
        ),
        lambda summaries: summaries.metrics.update({key: ("f1", "accuracy") for key in summaries.metrics}),
        lambda summaries: summaries.cells.__setitem__(0, msgspec.structs.replace(summaries.cells[0], scores=())),
        lambda summaries: summaries.cells.__setitem__(
            0, msgspec.structs.replace(summaries.cells[0], value=float("nan"))
        ),
        lambda summaries: summaries.cells.__setitem__(0, msgspec.structs.replace(summaries.cells[0], low=None)),
        lambda summaries: summaries.cells.__setitem__(
            0, msgspec.structs.replace(summaries.cells[0], total_seconds=None)
        ),
        lambda summaries: summaries.cells.__setitem__(0, summaries.cells[1]),
    ],
    ids=["lacking", "made otherwise", "other metrics", "no scores", "no number", "no end", "no seconds", "twice"],
)
def test_an_index_that_no_records_can_have_produced_is_rebuilt(store, indexed, capsys, change):
    path = store.root / NAME
    whole = path.read_bytes()
    content = index._decoded(path, len(whole))
    change(content.summaries)
    packed = msgspec.msgpack.encode(content)
    path.write_bytes(index._head(packed) + packed)
    assert csv(store, capsys) == indexed
    assert path.read_bytes() == whole


def test_a_pipe_or_a_file_of_any_size_in_place_of_the_index_stops_nothing(store, indexed, capsys):
    path = store.root / NAME
    path.unlink()
    os.mkfifo(path)
    assert csv(store, capsys) == indexed
    os.truncate(path, 2**40)
    assert csv(store, capsys) == indexed
    assert path.stat().st_size < 2**20


def test_an_index_of_other_code_is_rebuilt(store, indexed, counted, capsys, monkeypatch):
    monkeypatch.setattr(index, "code_version", lambda: 1)
    assert csv(store, capsys) == indexed
    assert len(counted) == COUNT + 1


def test_a_new_attempt_is_read_alone_and_counts(store, indexed, counted, capsys, made):
    commit(store, made, made.cell(strategy="s03"), made.answers(accuracy=0.97, draw=99), attempt=2)
    remove_journal(store.root)
    assert csv(store, capsys) != indexed
    assert counted == [f"{made.cell(strategy='s03').id}.2.json", "ranks"]
    assert max(Index(store).summaries(pytest.fail).cells, key=lambda summary: summary.value).strategy == "s03"


def test_a_record_that_was_changed_is_read_again(store, indexed, counted, capsys, made):
    cell = made.cell(strategy="s00")
    path = store.root / "records" / f"{cell.id}.1.json"
    changed = unsealed(path.read_bytes()).replace(b'"parameters":22713986', b'"parameters":22713987')
    path.write_bytes(sealed(changed))
    os.utime(path, ns=(0, 0))
    assert "22713987" in csv(store, capsys)
    assert counted == [path.name, "ranks"]


def test_a_record_that_is_gone_is_pending(store, indexed, counted, capsys, made):
    (store.root / "records" / f"{made.cell(strategy='s00').id}.1.json").unlink()
    table = csv(store, capsys)
    assert table.count('"pending"') == 1
    assert counted == ["ranks"]


def test_predictions_that_were_damaged_since_are_noticed_each_time(store, indexed, counted, capsys, made):
    path = store.root / "records" / f"{made.cell(strategy='s11').id}.1.parquet"
    path.write_bytes(path.read_bytes()[:100])
    for _ in range(2):
        board.print_board(store.root, None, BoardChoice(), False, "csv")
        captured = capsys.readouterr()
        assert "cannot be read" in captured.err
        assert captured.out.count('"intervals"') > 0
    assert counted == ["ranks", "ranks"]


def test_an_unreadable_record_is_named_each_time(store, indexed, capsys):
    (store.root / "records" / f"{'0' * 16}.1.json").write_text("{")
    (store.root / "records" / f"{'1' * 16}.1.json").symlink_to("nowhere")
    for _ in range(2):
        board.print_board(store.root, None, BoardChoice(), False, "csv")
        complaints = capsys.readouterr().err.splitlines()
        assert [line.split()[1][0] for line in complaints] == ["0", "1"]


def test_a_folder_that_cannot_be_written_is_shown_all_the_same(store, counted, capsys, monkeypatch):
    def refused(*args):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", refused)
        first = csv(store, capsys)
    with monkeypatch.context() as patched:
        patched.setattr(index.os, "replace", refused)
        assert csv(store, capsys) == first
    assert sorted(path.name for path in store.root.iterdir()) == ["plan.json", "records", "tlbench.json", "work"]


def test_a_few_records_leave_no_index(store, capsys, monkeypatch):
    monkeypatch.setattr(index, "MIN_RECORDS", COUNT + 1)
    csv(store, capsys)
    assert not (store.root / NAME).exists()


def test_many_processes_at_once_all_show_the_same(store, tmp_path, capsys):
    code = (
        "import sys; from tlbench.results import index; index.MIN_RECORDS = 1\n"
        "from tlbench.cli.app import _main\n"
        f"sys.exit(_main(['leaderboard', '-f', 'csv', '--out', {str(store.root)!r}]))"
    )
    readers = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    shown = {reader.communicate()[0] for reader in readers}
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert shown == {csv(store, capsys).encode()}
    assert not list(store.root.glob(".*"))


def test_a_selection_neither_shows_nor_forgets_the_rest(store, indexed, counted, capsys, made):
    other = made.cell(task="rte-lite")
    commit(store, made, other, made.answers(task="rte-lite"))
    assert csv(store, capsys, "sst2-lite").count("\n") == COUNT + 1
    counted.clear()
    board.print_board(store.root, None, BoardChoice(), True, "csv")
    assert capsys.readouterr().out.count("\n") == COUNT + 2
    assert counted == ["ranks"]


def test_the_end_of_a_run_leaves_an_index_and_reads_nothing_twice(store, counted, capsys):
    plan = store.plan()
    records = board.load(store, None)
    table = board.frame(store, records, plan.cells).frame()
    assert len(counted) == COUNT + 1
    counted.clear()
    assert csv(store, capsys).count("paired test") == (table["ranked_by"] == "paired test").sum()
    assert counted == []


def test_records_read_in_processes_are_those_read_alone(store, monkeypatch):
    monkeypatch.setattr(bulk, "_CHUNK", 5)
    monkeypatch.setattr(bulk, "process_count", lambda: 2)
    (store.root / "records" / f"{'0' * 16}.1.json").write_text("{")
    names = sorted(path.name for path in (store.root / "records").glob("*.json"))
    alone, together = (
        bulk.read_summaries(store, names, min_records=99),
        bulk.read_summaries(store, names, min_records=1),
    )
    assert alone == together
    assert [summary.cell for summary in together[0].cells] == [name[:16] for name in names[1:]]
    assert [file.path.name for file in together[1]] == [names[0]]


def test_a_process_that_is_ended_while_it_reads_costs_time_alone(store, monkeypatch):
    names = sorted(path.name for path in (store.root / "records").glob("*.json"))
    parent = os.getpid()
    read = Store.read
    monkeypatch.setattr(bulk, "process_count", lambda: 2)
    monkeypatch.setattr(Store, "read", lambda self, name: read(self, name) if os.getpid() == parent else os._exit(9))
    summaries, bad = bulk.read_summaries(store, names, min_records=1)
    assert (len(summaries.cells), bad) == (COUNT, [])


def test_lines_make_the_frame_that_records_make(store, made):
    cells, records, kept = made.suite()
    by_records = frame(records, cells, lambda record: kept.get(record.cell.id))
    assert by_records.equals(frame(records[::-1], cells, lambda record: kept.get(record.cell.id)))
    packed = msgspec.msgpack.encode(summaries_of(records))
    assert msgspec.msgpack.decode(packed, type=type(summaries_of([]))) == summaries_of(records)
