"""Tests of which model folders count as sentence encoders, whose probes read the texts of a pair separately."""

from __future__ import annotations

import json

import pytest
from tlbench_hf.backbone import MiniLM
from tlbench_hf.families import is_sentence_encoder
from tlbench_hf.plugin import tlbench_backbones
from tlbench_hf.sources import POOLING

MODULES, SETTINGS = "modules.json", "config_sentence_transformers.json"
TRANSFORMER = {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}
MEAN = {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
NEWER = {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}
SPARSE = {"idx": 1, "path": "1_SpladePooling", "type": "sentence_transformers.sparse_encoder.models.SpladePooling"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({MODULES: [TRANSFORMER, MEAN]}, True),
        ({MODULES: [TRANSFORMER, NEWER], SETTINGS: {"model_type": "SentenceTransformer"}}, True),
        ({MODULES: [TRANSFORMER, MEAN], SETTINGS: {"__version__": {"sentence_transformers": "2.0.0"}}}, True),
        ({POOLING: {"pooling_mode_mean_tokens": True}}, True),
        ({MODULES: [TRANSFORMER, MEAN], SETTINGS: {"model_type": "CrossEncoder"}}, False),
        ({MODULES: [TRANSFORMER, SPARSE], SETTINGS: {"model_type": "SparseEncoder"}}, False),
        ({MODULES: [TRANSFORMER, SPARSE]}, False),
        ({MODULES: [TRANSFORMER]}, False),
        ({MODULES: [None, 3, {"type": None}], SETTINGS: [1]}, False),
        ({MODULES: "no list"}, False),
        ({}, False),
    ],
)
def test_the_files_of_sentence_transformers_decide(tmp_path, files, expected):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    assert is_sentence_encoder(tmp_path) is expected


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00\ufffd"])
def test_damaged_files_declare_nothing(tmp_path, text):
    for name in (MODULES, SETTINGS):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert not is_sentence_encoder(tmp_path)


def test_every_cut_of_minilm_is_one_and_a_small_llama_is_none():
    pairs = {backbone.name: backbone.card().pairs for backbone in tlbench_backbones()}
    assert {name for name, how in pairs.items() if how == "separate"} == {"minilm-l6", "minilm-l3", "minilm-l0"}


def test_a_minilm_that_is_not_on_this_machine_is_one_too():
    assert MiniLM("minilm", "package:no_such_package/model").card().pairs == "separate"
