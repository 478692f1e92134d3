"""Saved predictors: they are read back unchanged, and other files are refused."""

from __future__ import annotations

import json

import pytest
import torch

from tlbench.contracts.errors import UsageError
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar
from tlbench.modeling.predictor_files import SETTINGS, WEIGHTS, read_settings, read_weights, write_predictor

OUTPUT = Classes(("no", "yes"))


@pytest.mark.parametrize("output", [OUTPUT, Scalar(), None])
def test_settings_are_read_as_they_were_written(tmp_path, output):
    write_predictor(tmp_path / "new" / "folder", "Some", output, {"value": 0.1, "known": {"ä": 1}})
    assert read_settings(tmp_path / "new" / "folder", "Some", output) == {"value": 0.1, "known": {"ä": 1}}
    assert not (tmp_path / "new" / "folder" / WEIGHTS).exists()


def test_weights_are_read_with_the_same_bits_and_memory_layout(tmp_path):
    torch.manual_seed(0)
    stack = torch.randn(2, 3, dtype=torch.float64)
    weights = {
        "whole": torch.randn(3, 4),
        "by column": torch.randn(4, 3).T,
        "every other": torch.randn(8)[::2],
        "first": stack[0],
        "second": stack[1],
        "same": stack[1],
        "count": torch.tensor(5),
    }
    write_predictor(tmp_path, "Some", OUTPUT, weights=weights)
    restored = read_weights(tmp_path, {name: tuple(weight.shape) for name, weight in weights.items()})
    assert restored.keys() == weights.keys()
    for name, weight in weights.items():
        assert torch.equal(restored[name], weight), name
        assert restored[name].dtype == weight.dtype, name
    assert restored["whole"].stride() == (4, 1)
    assert restored["by column"].stride() == (1, 3)


def test_a_predictor_of_another_name_or_output_is_refused(tmp_path):
    write_predictor(tmp_path, "Some", OUTPUT)
    for name, output in [
        ("Other", OUTPUT), ("Some", Classes(("yes", "no"))), ("Some", MultiLabel(("no", "yes"))), ("Some", None),
    ]:  # fmt: skip
        with pytest.raises(UsageError, match=r"Some|another output"):
            read_settings(tmp_path, name, output)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "\xff", "{}", '{"predictor": "Some"}', "[" * 100_000])
def test_files_that_are_no_settings_are_refused(tmp_path, text):
    (tmp_path / SETTINGS).write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=SETTINGS):
        read_settings(tmp_path, "Some", OUTPUT)
    with pytest.raises(UsageError, match=SETTINGS):
        read_settings(tmp_path / "nowhere", "Some", OUTPUT)


def test_an_error_message_is_short_even_if_the_file_holds_a_long_name(tmp_path):
    written = {"predictor": "x" * 10_000, "output": None, "settings": {}}
    (tmp_path / SETTINGS).write_text(json.dumps(written))
    with pytest.raises(UsageError) as raised:
        read_settings(tmp_path, "Some", None)
    assert len(str(raised.value)) < 200 + len(str(tmp_path))


def test_weights_of_other_names_or_shapes_are_refused(tmp_path):
    write_predictor(tmp_path, "Some", OUTPUT, weights={"a": torch.zeros(2, 3), "b": torch.zeros(2)})
    with pytest.raises(UsageError, match=r"a is \(2, 3\), not \(3, 2\)"):
        read_weights(tmp_path, {"a": (3, 2), "b": (2,)})
    for shapes in ({"a": (2, 3)}, {"a": (2, 3), "b": (2,), "c": ()}):
        with pytest.raises(UsageError, match="other weights"):
            read_weights(tmp_path, shapes)


def test_damaged_weights_are_refused(tmp_path):
    write_predictor(tmp_path, "Some", OUTPUT, weights={"a": torch.zeros(200, 3)})
    whole = (tmp_path / WEIGHTS).read_bytes()
    for damaged in (whole[:-9], whole[:20], b"", b"\xff" * 100):
        (tmp_path / WEIGHTS).write_bytes(damaged)
        with pytest.raises(UsageError, match="no weights can be read"):
            read_weights(tmp_path, {"a": (200, 3)})
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(UsageError, match="no weights can be read"):
        read_weights(tmp_path, {"a": (200, 3)})
