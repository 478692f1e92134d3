"""The handle of an order: the first outcome counts, and only files of an accepted result reach the cell's folder."""

import msgspec
import pytest
from tlbench_ray.node_actors import NodeAnswer
from tlbench_ray.order_handle import OrderHandle

from tlbench import Fit, OrderResult, WorkerLost
from tlbench.running.executors import order_files
from tlbench.testing.conformance.executor import order

DONE = msgspec.json.encode(OrderResult(worker="w"))


def handle_of(folder, purpose="final", token="ab12"):
    return OrderHandle(order("toy-fit", Fit(0, 7, {}), folder, purpose), token, lambda handle: None)


def test_a_hundred_late_answers_are_refused(tmp_path):
    late = {"seed-7.parquet": b"late"}
    for number in range(100):
        handle = handle_of(tmp_path, token=f"{number:04x}")
        handle.lose(WorkerLost("was lost with its machine"))
        assert not handle.answer(NodeAnswer(DONE, late))
        with pytest.raises(WorkerLost, match="lost with its machine"):
            handle.result()
    assert list(tmp_path.iterdir()) == []


def test_the_second_answer_changes_nothing(tmp_path):
    handle = handle_of(tmp_path)
    assert handle.answer(NodeAnswer(DONE, {"seed-7.parquet": b"first"}))
    assert not handle.answer(NodeAnswer(DONE, {"seed-7.parquet": b"second"}))
    assert handle.result().worker == handle.result().worker == "w"
    assert [path.name for path in tmp_path.iterdir()] == ["seed-7.parquet"]
    assert (tmp_path / "seed-7.parquet").read_bytes() == b"first"


def test_only_what_the_order_writes_is_taken_over(tmp_path):
    (tmp_path / "winner.json").write_bytes(b"the driver's")
    (tmp_path / "validation-7.parquet").write_bytes(b"of an earlier fit")
    handle = handle_of(tmp_path)
    handle.answer(
        NodeAnswer(DONE, {"seed-7.parquet": b"mine", "seed-8.parquet": b"another's", "winner.json": b"forged"})
    )
    handle.result()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed-7.parquet", "winner.json"]
    assert (tmp_path / "winner.json").read_bytes() == b"the driver's"


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/../../outside"])
def test_files_cannot_leave_their_folder(tmp_path, name):
    handle = handle_of(tmp_path / "cell")
    handle.answer(NodeAnswer(DONE, {name: b"x"}))
    with pytest.raises(ValueError, match="leads out of its folder"):
        handle.result()
    assert not (tmp_path / "outside").exists()


def test_links_are_not_taken_over(tmp_path):
    handle = handle_of(tmp_path)
    made = order_files.worker_folder(handle.order, handle.token)
    made.mkdir()
    (made / "seed-7.parquet").symlink_to("/etc/passwd")
    handle.answer(NodeAnswer(DONE))
    handle.result()
    assert list(tmp_path.iterdir()) == []


def test_an_order_gets_what_it_reads(tmp_path):
    names = ["seed-7.parquet", "validation-7.parquet", "saved-0/predictor/w", "saved-1/w", "trials-0.json", "lock"]
    order_files.write_files(tmp_path, {name: b"x" for name in names})
    (tmp_path / "seed-8.parquet").symlink_to("/etc/passwd")
    fits = (Fit(0, 7, {}), Fit(0, 8, {}))
    assert order_files.read_names(order("toy-fit", fits, tmp_path, "score"), tmp_path) == names[:2]
    assert order_files.read_names(order("toy-fit", fits, tmp_path, "search"), tmp_path) == []
    final = order_files.read_names(order("toy-fit", fits[:1], tmp_path, "final"), tmp_path)
    assert final == ["saved-0/predictor/w", "trials-0.json"]
    order_files.link_files(tmp_path, tmp_path / "linked", final)
    assert sorted(order_files.all_files(tmp_path / "linked")) == final


def test_an_answer_that_is_none_loses_its_worker(tmp_path):
    handle = handle_of(tmp_path)
    handle.answer(NodeAnswer(b"{}}"))
    with pytest.raises(WorkerLost, match="no answer"):
        handle.result()
