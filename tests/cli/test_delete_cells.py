"""`tlbench delete`: a preview, a confirmation, and only the chosen cells go."""

import json

import pytest

from tlbench.cli.app import _main
from tlbench.cli.recorded.delete_cells import Chosen, delete
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_folder import CellFolder


def cell(task="toy-tone", strategy="toy-fit", trials=1, backbone="toy"):
    return Cell(Ref(task), Ref(strategy), Protocol(trials=trials), Ref(backbone) if backbone else None)


CELLS = (
    cell(),
    cell(trials=4),
    cell(strategy="toy-tune"),
    cell(task="toy-count"),
    cell(strategy="gone-strategy[x=1]"),
    cell(strategy="toy-majority", backbone=None),
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Results with a record and a work folder of each cell, the first with a second attempt."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    store = Store.create(tmp_path / "out")
    for one in CELLS:
        folder = CellFolder(store.work(one.id, 1))
        folder.record_start(one)
        (folder.root / "answers.parquet").write_bytes(b"answers")
        (folder.root / "validation.parquet").write_bytes(b"validation")
        record = Record(one, "ok", predictions="answers.parquet", validation_predictions="validation.parquet")
        assert store.commit(record, folder.root)
    assert store.commit(Record(CELLS[0], "failed", attempt=2), store.root)
    return store


@pytest.fixture
def tlbench(store, capsys):
    """Calls the command, without a terminal; returns its status, stdout and stderr."""

    def call(*arguments):
        capsys.readouterr()
        status = _main(["delete", *map(str, arguments), "--out", str(store.root)])
        return (status, *capsys.readouterr())

    return call


def ids(store):
    names = [path.name.partition(".")[0] for place in ("records", "work") for path in (store.root / place).iterdir()]
    return {name for name in names if len(name) == 16}


def test_without_a_terminal_it_only_shows_what_would_go(tlbench, store):
    before = sorted(store.root.rglob("*"))
    status, out, err = tlbench(CELLS[0].id)
    assert status == 2
    assert CELLS[0].id in out
    assert CELLS[1].id not in out
    assert err == "tlbench: nothing is deleted: this is no terminal to ask for confirmation in; give --yes\n"
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ([CELLS[0].id], [0]),
        ([CELLS[2].id[:8]], [2]),
        ([CELLS[0].id, CELLS[3].id], [0, 3]),
        (["--strategy", "toy-fit"], [0, 1, 3]),
        (["--strategy", "toy-fit", "--task", "toy-tone"], [0, 1]),
        (["-S", "toy-fit", "-S", "toy-tune", "-t", "toy-tone"], [0, 1, 2]),
        (["--backbone", "toy[blocks=3]"], [0, 1, 2, 3, 4]),
        (["--strategy", "gone-strategy[x=1]"], [4]),
        (["--suite", "SUITE"], [1, 5]),
        (["--suite", "SUITE", "--strategy", "toy-fit"], [1]),
    ],
)
def test_only_the_chosen_cells_go_with_all_their_files(tlbench, store, tmp_path, options, gone):
    suite = tmp_path / "toys.toml"
    suite.write_text(
        '[protocol]\ntrials = 4\n[[cells]]\ntasks = ["toy-tone"]\nbackbones = ["toy"]\n'
        'strategies = ["toy-fit", "toy-majority"]\n'
    )
    status, out, _ = tlbench(*[suite if option == "SUITE" else option for option in options], "--yes")
    assert status == 0
    assert f"deleted {len(gone)} cell" in out
    assert f"the same `tlbench run` as before computes {'it' if len(gone) == 1 else 'them'} again" in out
    assert ids(store) == {one.id for i, one in enumerate(CELLS) if i not in gone}
    # The rest is as it was.
    assert {record.cell.id for record in store.records()} == ids(store)
    assert all(store.predictions(record) for record in store.records() if record.status == "ok")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to delete: give the ids of cells, or --suite"),
        (["zz"], "no cell whose id is or begins with 'zz'"),
        ([""], "no cell whose id is or begins with ''"),
        ([CELLS[0].id[:6]], "begins the ids of 2 cells"),
        (["--strategy", "toy-guess"], "no cell with the strategy toy-guess"),
        (["--strategy", "gone-strategy"], "no cell with the strategy gone-strategy; there is gone-strategy[x=1]"),
        (["--strategy", "toy-tune", "--task", "toy-count"], "no cell with the strategy toy-tune"),
        (["--suite", "nope"], "unknown suite 'nope'"),
    ],
)
def test_mistakes_are_one_line_and_delete_nothing(tlbench, store, options, message):
    assert CELLS[0].id[:6] == CELLS[1].id[:6]
    before = sorted(store.root.rglob("*"))
    status, _, err = tlbench(*options, "--yes")
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert sorted(store.root.rglob("*")) == before


@pytest.mark.parametrize("answer", [True, False])
def test_in_a_terminal_the_answer_decides(store, capsys, answer):
    questions = []

    def confirm(question):
        questions.append(question)
        return answer

    delete(store.root, Chosen(tasks=("toy-count",)), yes=False, confirm=confirm)
    assert questions == [f"Delete 1 cell from {store.root}?"]
    assert (CELLS[3].id in ids(store)) is not answer


def test_a_cell_that_another_run_has_open_is_left(store):
    lease = CellFolder(store.work(CELLS[0].id, 1)).lease()
    with pytest.raises(UsageError, match=f"1 cell left, as another run has them open: {CELLS[0].id}"):
        delete(store.root, Chosen(strategies=("toy-fit",), tasks=("toy-tone",)), yes=True, confirm=None)
    lease.release()
    assert ids(store) == {one.id for i, one in enumerate(CELLS) if i != 1}


def test_damaged_and_unfinished_cells_can_be_deleted(tlbench, store):
    damaged = store.record_path(CELLS[3].id, 1)
    damaged.write_text("{")
    store.record_path(CELLS[2].id, 1).unlink()
    status, out, _ = tlbench(CELLS[3].id, CELLS[2].id, "--yes")
    assert status == 0
    lines = [line.split() for line in out.splitlines() if line.startswith((CELLS[2].id, CELLS[3].id))]
    states = {line[0]: line[4] for line in lines}
    assert states == {CELLS[2].id: "unfinished", CELLS[3].id: "damaged"}
    assert not {CELLS[2].id, CELLS[3].id} & ids(store)


def test_nothing_is_deleted_through_links(tlbench, store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("")
    link = store.root / "work" / f"{CELLS[3].id}.2"
    link.symlink_to(elsewhere)
    assert tlbench(CELLS[3].id, "--yes")[0] == 0
    assert not link.is_symlink()
    assert (elsewhere / "mine").exists()


def test_json_names_what_was_deleted_and_asks_nothing(tlbench):
    status, out, error = tlbench(CELLS[0].id, "--json")
    assert (status, out) == (2, "")
    assert "with --json nothing is asked; give --yes" in error
    status, out, _ = tlbench(CELLS[0].id, "--json", "--yes")
    assert status == 0
    assert json.loads(out) == {"format": 1, "deleted": [CELLS[0].id], "left": []}
