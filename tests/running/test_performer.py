"""Fits that go wrong in a way that is not the strategy's: what is given back, left to others, and never lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tlbench import Example, Examples, Text
from tlbench.contracts.errors import UsageError
from tlbench.modeling.data import one_row_each
from tlbench.running import crew, performer, workbench
from tlbench.running.fit import status_of
from tlbench.running.warm import WarmEncoder
from tlbench.running.worker import resolve_device
from tlbench.testing.toys import ToyBackbone


class Calling:
    """Two cells that call for help, for so many looks."""

    def __init__(self, folder, looks):
        self.works = [folder / "broken", folder / "sound"]
        for work in self.works:
            work.mkdir()
        self.looks = looks

    @property
    def is_open(self):
        self.looks -= 1
        return self.looks >= 0

    def calls(self):
        return {str(work): work.name for work in self.works}


def test_who_helps_gives_back_and_leaves_alone_what_fails_there(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "PAUSE_SECONDS", 0)
    seen = []

    def performer_of(name):
        return SimpleNamespace(name=name, close=lambda: seen.append(f"closed {name}"))

    def help(performer):
        seen.append(performer.name)
        if performer.name == "broken":
            raise OSError("the test split is gone")
        return True

    monkeypatch.setattr(crew, "_help", help)
    crew.help_others(Calling(tmp_path, looks=3), performer_of)
    assert seen == ["broken", "closed broken", "sound", "sound", "sound"]


def test_an_encoder_whose_structure_was_changed_in_place_is_not_put_back():
    warm = WarmEncoder(ToyBackbone().load)
    encoder = warm.fresh()
    put_back = warm.keep()
    with torch.no_grad():
        encoder.native.norm.weight.add_(1)
    assert put_back()
    assert torch.equal(encoder.native.norm.weight, warm.fresh().native.norm.weight)
    encoder.native.adapter = torch.nn.Linear(2, 2)
    assert not put_back()


def test_a_winner_that_lost_its_encoder_is_fitted_again(runs, essence, monkeypatch):
    kept = runs.one("toy-tune", trials=3)
    keep, asked = WarmEncoder.keep, []
    monkeypatch.setattr(WarmEncoder, "keep", lambda self: keep(self) and (lambda: asked.append(1) or False))
    assert essence(runs.one("toy-tune", trials=3, fresh="all")) == essence(kept)
    assert asked == [1]


@pytest.mark.parametrize("disposable", [True, False])
def test_a_worker_whose_gpu_is_lost_ends_once_what_it_did_is_on_disk(runs, monkeypatch, disposable):
    class Bench(workbench.Workbench):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.disposable = disposable

    class Gone(BaseException):
        pass

    ends = []

    def leave(status):
        ends.append(status)
        raise Gone

    monkeypatch.setattr(workbench, "Workbench", Bench)
    monkeypatch.setattr(performer, "is_lost", lambda device: True)
    monkeypatch.setattr(performer.os, "_exit", leave)
    if not disposable:
        assert runs.one("toy-failing", trials=2).status == "failed"
        return
    with pytest.raises(Gone):
        runs.one("toy-failing", trials=2)
    assert ends == [performer.LOST]
    assert len(list(runs.folder.glob("work/*/trials-0.json"))) == 1


def test_words_for_a_lack_of_memory_are_known():
    for words in ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory"):
        assert status_of(RuntimeError(words))[0] == "oom"
    assert status_of(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))[0] == "oom"
    assert status_of(RuntimeError("CUDA error: device-side assert triggered"))[0] == "failed"


def test_on_a_gpu_one_backbone_has_all_the_room(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))

    def left(device, cell):
        bench = workbench.Workbench(None, torch.device(device), 1)
        bench._encoders.update({("a", "fp32"): None, ("b", "fp32"): None, ("b", "bf16-weights"): None})
        bench.make_room(cell)
        return sorted(bench._encoders)

    assert left("cpu", "b") == [("a", "fp32"), ("b", "bf16-weights"), ("b", "fp32")]
    assert not emptied
    assert left("cuda", "b") == [("b", "bf16-weights"), ("b", "fp32")]
    assert left("cuda", None) == []
    assert len(emptied) == 2


def test_the_same_examples_are_read_anew_for_another_output():
    class Reader:
        def featurize(self, examples, output):
            rows = list(examples)
            return one_row_each(examples, rows, lambda rows: {}, [1] * len(rows), f"cut at {output.max_length}")

    item = SimpleNamespace(item=Reader())
    tasks = {str(length): SimpleNamespace(item=SimpleNamespace(output=Text(length))) for length in (16, 64)}
    bench = workbench.Workbench(
        SimpleNamespace(backbone=lambda name: item, task=tasks.get), torch.device("cpu"), threads=1
    )
    examples = Examples([Example("a", ("some words",), ("some",))])
    first, other, again = (bench.data("t5", length, examples) for length in ("16", "64", "16"))
    assert [data.fingerprint.partition(":")[0] for data in (first, other)] == ["cut at 16", "cut at 64"]
    assert again is first


def test_a_gpu_whose_driver_does_not_work_is_one_line(monkeypatch):
    def init():
        raise RuntimeError("The NVIDIA driver on your system is\ntoo old")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(UsageError, match=r"device auto: The NVIDIA driver on your system is too old \(--device cpu"):
        resolve_device("auto")
    with pytest.raises(UsageError, match="torch sees 1 GPUs"):
        resolve_device("cuda:3")
    assert resolve_device("cpu") == torch.device("cpu")
