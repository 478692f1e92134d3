"""Which worker carries out an order: one that serves its cell, then a free place, then one that is replaced."""

import msgspec

from tlbench import Fit, OrderResult
from tlbench.running.executors.worker_slots import WorkerSlot, choose_slot, key_of
from tlbench.testing.conformance.executor import order


def fit_order(tmp_path, strategy="toy-fit", **fields):
    return msgspec.structs.replace(order(strategy, Fit(0, 0, {}), tmp_path), **fields)


def test_the_worker_of_the_cell_comes_first_and_then_an_empty_place(tmp_path):
    mine, other = fit_order(tmp_path), fit_order(tmp_path, "toy-tune")
    slots = [WorkerSlot(number) for number in range(3)]
    slots[1].take(mine, object())
    assert choose_slot(slots, mine) is slots[0], "the cell's own worker is busy"
    assert slots[1].free(OrderResult(worker="a")) is not None
    assert choose_slot(slots, mine) is slots[1]
    assert choose_slot(slots, other) in (slots[0], slots[2])
    for slot in slots:
        slot.take(other, object())
    assert choose_slot(slots, mine) is None


def test_a_predictor_that_is_needed_is_neither_replaced_nor_overwritten(tmp_path):
    mine, other = fit_order(tmp_path), fit_order(tmp_path, "toy-tune")
    slots = [WorkerSlot(number) for number in range(2)]
    for slot, name in zip(slots, "ab", strict=True):
        slot.take(mine, object())
        slot.free(OrderResult(worker=name, keeps=name == "a"))
    assert choose_slot(slots, mine) is slots[1]
    assert choose_slot(slots, msgspec.structs.replace(mine, worker="a")) is slots[0]
    assert choose_slot(slots, other) is slots[1]


def test_a_lost_worker_leaves_an_empty_place(tmp_path):
    slot = WorkerSlot(0)
    slot.take(fit_order(tmp_path), handle := object())
    assert slot.free(None) is handle
    assert (slot.key, slot.worker, slot.keeps, slot.handle) == (None, "", False, None)


def test_a_worker_on_a_gpu_serves_a_backbone(tmp_path):
    on_gpu = [fit_order(tmp_path, strategy, device="cuda") for strategy in ("toy-fit", "toy-tune")]
    assert key_of(on_gpu[0]) == key_of(on_gpu[1]) == "toy"
    on_cpu = [fit_order(tmp_path, strategy) for strategy in ("toy-fit", "toy-tune")]
    assert key_of(on_cpu[0]) != key_of(on_cpu[1])
