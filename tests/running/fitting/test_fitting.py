"""State that a worker keeps between fits, and errors that are not the strategy's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tlbench import Cell, Example, Examples, Protocol, Text
from tlbench.contracts.cell import Ref
from tlbench.contracts.errors import UsageError
from tlbench.modeling.activations.activation_cache import EncodeUsage, Key
from tlbench.modeling.activations.activation_files import StoredActivations
from tlbench.modeling.data import one_row_each
from tlbench.running.fitting import session, worker
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.fit import _standalone
from tlbench.running.fitting.fit_status import status_of
from tlbench.running.fitting.reusable_encoder import KeptState, ReusableEncoder
from tlbench.running.fitting.session import resolve_device
from tlbench.running.splits import Splits
from tlbench.testing.toys import ToyBackbone


def test_an_encoder_whose_structure_was_changed_in_place_is_not_put_back():
    reusable = ReusableEncoder(ToyBackbone().load)
    encoder = reusable.fresh()
    put_back = reusable.keep().put_back
    with torch.no_grad():
        encoder.native.norm.weight.add_(1)
    assert put_back()
    assert torch.equal(encoder.native.norm.weight, reusable.fresh().native.norm.weight)
    encoder.native.adapter = torch.nn.Linear(2, 2)
    assert not put_back()


def test_a_winner_that_lost_its_encoder_is_fitted_again(runs, essence, monkeypatch):
    kept = runs.one("toy-tune", trials=3)
    keep, asked = ReusableEncoder.keep, []
    monkeypatch.setattr(
        ReusableEncoder, "keep", lambda self: keep(self) and KeptState(lambda: asked.append(1) or False)
    )
    assert essence(runs.one("toy-tune", trials=3, fresh="all")) == essence(kept)
    assert asked == [1]


@pytest.mark.parametrize("isolated", [True, False])
def test_a_worker_whose_gpu_is_lost_ends_without_an_answer(runs, monkeypatch, isolated):
    class Gone(BaseException):
        pass

    ends = []

    def leave(status):
        ends.append(status)
        raise Gone

    made = worker.Worker.__init__
    monkeypatch.setattr(worker.Worker, "__init__", lambda self, isolated: made(self, isolated=False))
    monkeypatch.setattr(worker, "is_lost", lambda device: True)
    monkeypatch.setattr(worker.os, "_exit", leave)
    if not isolated:
        assert runs.one("toy-failing", trials=2).status == "failed"
        return
    monkeypatch.setattr(worker.Worker, "isolated", property(lambda self: True, lambda self, value: None), raising=False)
    with pytest.raises(Gone):
        runs.one("toy-failing", trials=2)
    assert ends == [worker.DEVICE_LOST]
    assert not list(runs.folder.glob("work/*/trials-0.json"))


def test_words_for_a_lack_of_memory_are_known():
    for words in ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory"):
        assert status_of(RuntimeError(words))[0] == "oom"
    assert status_of(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))[0] == "oom"
    assert status_of(RuntimeError("CUDA error: device-side assert triggered"))[0] == "failed"


def test_a_seed_is_not_charged_for_what_another_seed_encoded():
    def key(data):
        return Key("weights", data, 3, None, "fp32", "cpu")

    usage = EncodeUsage(read={key("train 0"): 1.0, key("train 1"): 2.0, key("validation"): 4.0})
    subsets = {seed: SimpleNamespace(fingerprint=f"train {seed}") for seed in (0, 1)}
    once = {(0, "teacher"): 30.0, (1, "teacher"): 40.0, (1, "words"): 2.0}

    def alone(seed, subsets):
        found = _standalone(seed, usage, subsets, once)
        return found["encode_seconds"], found["setup_seconds"]

    assert [alone(seed, subsets) for seed in (0, 1)] == [(5.0, 30.0), (6.0, 42.0)]
    same = dict.fromkeys((0, 1), subsets[0])
    assert [alone(seed, same)[0] for seed in (0, 1)] == [7.0, 7.0], "all seeds see the same examples"
    assert alone(0, {})[0] == 7.0


def test_on_a_gpu_other_cells_models_are_freed(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))

    def cell(backbone, precision="auto"):
        protocol, name = Protocol(precision=precision), Ref(backbone, 1) if backbone else None
        return Cell(task=Ref("t", 1), strategy=Ref("s", 1), protocol=protocol, backbone=name)

    def left(device, *cells):
        one = session.Session(None, torch.device(device), 1)
        one._encoders.update({("a", "fp32"): None, ("b", "fp32"): None, ("b", "bf16-weights"): None})
        one.activations._entries["something"] = StoredActivations(torch.zeros(3), 0.0, 12)
        for cell in cells:
            one.release_other_cells(cell)
        return sorted(one._encoders), one.activations.size_bytes

    assert left("cpu", cell("b")) == ([("a", "fp32"), ("b", "bf16-weights"), ("b", "fp32")], 12)
    assert not emptied
    assert left("cuda", cell("b")) == ([("b", "fp32")], 0)
    assert left("cuda", cell("b", "bf16-weights")) == ([("b", "bf16-weights")], 0)
    assert left("cuda", cell(None)) == ([], 0)
    assert len(emptied) == 3
    left("cuda", cell("b"), cell("b"), cell("b"))
    assert len(emptied) == 4, "what a cell has computed was forgotten between its own fits"


def test_all_trials_of_a_search_share_the_drawn_examples_of_their_seed(runs, essence, monkeypatch):
    whole, pools = Splits.pool, []
    monkeypatch.setattr(Splits, "pool", lambda self, *args: pools.append(args) or whole(self, *args))
    shared = runs.one("toy-tune", trials=4, train_limit=12, seeds=(0, 1))
    assert shared.status == "ok"
    assert len(pools) == 2, "drawn again for a trial of the same seed"
    given = CellContext.fit_data
    monkeypatch.setattr(CellContext, "fit_data", lambda self, *args: self._fit_data.clear() or given(self, *args))
    assert essence(runs.one("toy-tune", trials=4, train_limit=12, seeds=(0, 1), fresh="all")) == essence(shared)
    assert len(pools) > 4


def test_the_same_examples_are_read_anew_for_another_output():
    class Reader:
        def featurize(self, examples, output):
            rows = list(examples)
            return one_row_each(examples, rows, lambda rows: {}, [1] * len(rows), f"cut at {output.max_length}")

    item = SimpleNamespace(item=Reader())
    one = session.Session(SimpleNamespace(backbone=lambda name: item), torch.device("cpu"), threads=1)
    examples = Examples([Example("a", ("some words",), ("some",))])
    first, other, again = (one.data("t5", Text(length), examples) for length in (16, 64, 16))
    assert [data.fingerprint.partition(":")[0] for data in (first, other)] == ["cut at 16", "cut at 64"]
    assert again is first


def test_a_gpu_whose_driver_does_not_work_is_one_line(monkeypatch):
    def init():
        raise RuntimeError("The NVIDIA driver on your system is\ntoo old")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(UsageError, match=r"device cuda: The NVIDIA driver on your system is too old \(--device cpu"):
        resolve_device("cuda")
    with pytest.raises(UsageError, match="torch sees 1 GPUs"):
        resolve_device("cuda:3")
    assert resolve_device("cpu") == torch.device("cpu")
