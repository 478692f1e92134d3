"""Activations on disk have the same bits as computed ones, in other processes too, and belong to the same weights."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tlbench.modeling import batches
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.activations.hidden_rows import HiddenRows
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.disk import cache_folder as disk_folder
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.modeling.encoder import Encoder, Hidden
from tlbench.testing.toy_encoder import ToyEncoder
from tlbench.testing.toys import ToyBackbone, ToyTask

LARGE = 1 << 30


@pytest.fixture
def data() -> Data:
    return _data(ToyTask(train=160))


def _data(task: ToyTask) -> Data:
    examples = task.split("train")
    assert examples is not None
    return ToyBackbone().featurize(examples, task.output)


def _process(folder: Path, memory: int = LARGE, disk: int = LARGE) -> tuple[Activations, ToyEncoder, list[int]]:
    """Returns the state of a new process: an empty cache, a fresh encoder, and a list of its batch sizes."""
    activations = Activations(memory, DiskCache(folder, disk, reserve_bytes=0))
    encoder = ToyBackbone().load()
    activations.trust(encoder)
    rows: list[int] = []
    forward = encoder.forward

    def counted(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        hidden = forward(batch, start=start, stop=stop)
        rows.append(len(hidden.x))
        return hidden

    encoder.forward = counted  # type: ignore[method-assign]
    return activations, encoder, rows


def _bits(hidden: Data) -> list[torch.Tensor]:
    return [row.view(torch.int16) if row.dtype == torch.bfloat16 else row for row in hidden.rows]


@pytest.mark.parametrize("precision", ["fp32", "bf16-autocast"])
def test_features_have_the_same_bits_from_disk(folder: Path, data: Data, precision: str) -> None:
    activations, encoder, rows = _process(folder)
    computed = activations.features(encoder, data, precision)
    assert sum(rows) >= len(data)
    again, encoder, rows = _process(folder)
    stored = again.features(encoder, data, precision)
    assert torch.equal(stored, computed)
    assert stored.data_ptr() % 64 == 0, "kernels may take another path for unaligned data"
    assert sum(rows) == 2, "only the two rows of the witness are computed"
    assert again.size_bytes == 0
    assert again.features(encoder, data, precision) is stored


@pytest.mark.parametrize("precision", ["fp32", "bf16-autocast"])
def test_hidden_states_have_the_same_bits_from_disk(folder: Path, data: Data, precision: str) -> None:
    activations, encoder, _ = _process(folder)
    computed = activations.hidden(encoder, data, 2, precision)
    again, encoder, rows = _process(folder)
    stored = again.hidden(encoder, data, 2, precision)
    assert sum(rows) == 2
    assert stored.fingerprint == computed.fingerprint
    assert [row.dtype for row in stored.rows] == [row.dtype for row in computed.rows]
    assert all(torch.equal(a, b) for a, b in zip(_bits(stored), _bits(computed), strict=True))
    one, other = (hidden.batch([5, 0, 30])["hidden"] for hidden in (stored, computed))
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.mask, other.mask)
    trained = encoder(stored.batch([0, 1])["hidden"], start=2)
    encoder.pool(trained).sum().backward()
    assert all(p.grad is not None for _, p in encoder.stage_parameters(2))


def test_hidden_states_beyond_the_memory_limit_are_read_from_disk(folder: Path, data: Data) -> None:
    in_memory = Activations().hidden(ToyBackbone().load(), data, 2)
    activations, encoder, rows = _process(folder, memory=1000)
    hidden = activations.hidden(encoder, data, 2)
    assert hidden is not data
    assert activations.size_bytes == 0
    assert all(torch.equal(a, b) for a, b in zip(hidden.rows, in_memory.rows, strict=True))
    before = sum(rows)
    assert activations.hidden(encoder, data, 2).rows is hidden.rows
    assert sum(rows) == before


def test_the_partial_file_is_touched_after_each_batch(
    folder: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "CPU_TOKENS", 64)
    activations, encoder, _ = _process(folder)
    forward, moved = encoder.forward, []

    def watching(batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        (partial,) = folder.glob(".*.draft")
        moved.append(partial.stat().st_mtime_ns > 0)
        os.utime(partial, ns=(0, 0))
        return forward(batch, start=start, stop=stop)

    monkeypatch.setattr(encoder, "forward", watching)
    activations.features(encoder, data)
    assert len(moved) > 2
    assert all(moved), "the file was not touched after a batch"


def test_reading_a_row_copies_nothing(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder, memory=1000)
    hidden = activations.hidden(encoder, data, 2)
    first, same, last = hidden.rows[0], hidden.rows[0], hidden.rows[len(hidden) - 1]
    assert first.data_ptr() == same.data_ptr()
    assert first.untyped_storage().data_ptr() == last.untyped_storage().data_ptr()


def test_hidden_states_that_fit_neither_memory_nor_disk_are_tried_once_and_not_cached(folder: Path, data: Data) -> None:
    activations, encoder, rows = _process(folder, memory=1000, disk=8000)
    with activations.metering() as usage:
        assert activations.hidden(encoder, data, 2) is data
    assert usage.encode_seconds == 0
    assert usage.encode_paid_seconds > 0
    tried = len(rows)
    assert activations.hidden(encoder, data, 2) is data
    assert len(rows) == tried
    assert disk_folder.entries(folder) == []


def test_activations_in_memory_survive_a_disk_that_fails_halfway(
    folder: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskCache(folder, LARGE, reserve_bytes=1 << 62)
    encoder = ToyBackbone().load()
    for memory, fits in ((LARGE, True), (1000, False)):
        activations = Activations(memory, disk)
        activations.trust(encoder)
        assert (activations.hidden(encoder, data, 2) is not data) == fits
        assert len(activations.features(encoder, data)) == len(data)
    assert disk_folder.entries(folder) == []


def test_the_standalone_cost_is_kept_with_the_entry(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder)
    with activations.metering() as computing:
        activations.features(encoder, data)
        activations.hidden(encoder, data, 1)
    assert 0 < computing.encode_seconds <= computing.encode_paid_seconds
    again, encoder, _ = _process(folder)
    with again.metering() as reading:
        again.features(encoder, data)
        again.hidden(encoder, data, 1)
    assert reading.encode_seconds == computing.encode_seconds
    assert reading.encode_paid_seconds > 0, "opening and checking take time too"
    with again.metering() as remembering:
        again.features(encoder, data)
    assert remembering.encode_paid_seconds == 0
    assert remembering.encode_seconds > 0


def test_a_part_of_shared_rows_is_read_out_of_the_whole(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder)
    whole = activations.features(encoder, data)
    again, encoder, rows = _process(folder)
    assert torch.equal(again.features(encoder, data.share([3, 1, 5])), whole[[3, 1, 5]])
    assert sum(rows) == 2
    assert len(disk_folder.entries(folder)) == 1


def _later(encoder: Encoder) -> None:
    with torch.no_grad():
        for _, parameter in encoder.stage_parameters(2):
            parameter.add_(1)


def test_trained_and_random_weights_are_never_written(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder)
    with torch.no_grad():
        encoder.native.embeddings.weight.mul_(2)
    activations.features(encoder, data)
    activations.hidden(encoder, data, 1)
    drawn = ToyBackbone().load(pretrained=False)
    drawn.identity = "random-1"
    activations.trust(drawn)
    activations.features(drawn, data)
    never_trusted = ToyBackbone().load()
    never_trusted.identity = "somebody's"
    activations.features(never_trusted, data)
    assert disk_folder.entries(folder) == []
    # the prefix of an encoder with a trained top is still the pretrained one
    activations.trust(encoder := ToyBackbone().load())
    _later(encoder)
    activations.hidden(encoder, data, 2)
    assert len(disk_folder.entries(folder)) == 1


def test_an_encoder_whose_code_changed_does_not_get_the_old_activations(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder)
    activations.features(encoder, data)
    activations.hidden(encoder, data, 2)
    again, encoder, rows = _process(folder)
    encoder.native.blocks[0].mlp.append(nn.Tanh())
    stored = again.features(encoder, data)
    hidden = again.hidden(encoder, data, 2)
    assert sum(rows) > 2 * len(data)
    fresh = Activations()
    assert torch.equal(stored, fresh.features(encoder, data))
    assert all(torch.equal(a, b) for a, b in zip(hidden.rows, fresh.hidden(encoder, data, 2).rows, strict=True))
    assert len(disk_folder.entries(folder)) == 2, "the new entries replace the old ones"


@pytest.mark.parametrize("what", ["threads", "precision", "readout", "data", "stop", "batches"])
def test_each_setting_that_changes_the_bits_is_part_of_the_key(
    folder: Path, data: Data, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    activations, encoder, _ = _process(folder)
    activations.hidden(encoder, data, 2)
    activations.features(encoder, data)
    again, encoder, rows = _process(folder)
    if what == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 97)
    elif what == "batches":
        monkeypatch.setattr(batches, "CPU_TOKENS", 64)
    elif what == "readout":
        encoder.readout = "first"
    elif what == "data":
        data = data.take(range(1, len(data)))
    precision = "bf16-autocast" if what == "precision" else "fp32"
    if what == "stop":
        again.hidden(encoder, data, 3, precision)
    else:
        again.features(encoder, data, precision)
    assert sum(rows) >= len(data)
    assert len(disk_folder.entries(folder)) == 3


def test_channels_last_feature_maps_are_stored_contiguously(folder: Path) -> None:
    rows = HiddenRows(2, masked=False)
    maps = torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last)
    rows.add([1, 0], Hidden(maps))
    assert rows.collate(rows[:])["hidden"].x.is_contiguous()
    assert torch.equal(rows.collate(rows[:])["hidden"].x, maps[[1, 0]])


def test_data_without_rows_is_cached_too(folder: Path, data: Data) -> None:
    nothing = data.take([])
    for _ in range(2):
        activations, encoder, _ = _process(folder)
        assert activations.features(encoder, nothing).shape == (0, encoder.width)
        assert len(activations.hidden(encoder, nothing, 1)) == 0


def test_a_damaged_entry_is_computed_again(folder: Path, data: Data) -> None:
    activations, encoder, _ = _process(folder)
    computed = activations.features(encoder, data)
    (entry,) = disk_folder.entries(folder)
    content = bytearray(entry.path.read_bytes())
    content[-3] ^= 4
    entry.path.write_bytes(content)
    again, encoder, rows = _process(folder)
    assert torch.equal(again.features(encoder, data), computed)
    assert sum(rows) >= len(data)


def test_augmented_data_is_refused_with_a_disk_too(folder: Path, data: Data) -> None:
    from tlbench.contracts.errors import PluginError

    activations, encoder, _ = _process(folder)
    with pytest.raises(PluginError, match="augmented"):
        activations.features(encoder, replace(data, augmented=True))
