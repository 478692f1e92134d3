"""Folders that would load anything beside their own weights are refused, since no digest pins it."""

from __future__ import annotations

import json

import pytest
from tlbench_hf.foreign_files import TIMM_FAMILIES
from tlbench_hf.loading import load_config
from tlbench_hf.plugin import tlbench_resolve

from tlbench import UsageError

TIMM = r"makes timm build the model or a part of it: use timm:<name>"
ELSEWHERE = "refers to a backbone elsewhere"
PICKLE = {"model_type": "timm_wrapper", "architecture": "resnet18", "model_args": {"checkpoint_path": "weights.pth"}}


def resolve(folder):
    return tlbench_resolve("backbone", f"hf:{folder}")


@pytest.mark.parametrize("later", [False, True], ids=["at first", "later"])
def test_an_adapter_is_to_be_merged_first(bert_folder, later):
    backbone = resolve(bert_folder)
    (bert_folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    with pytest.raises(UsageError, match=r"has an adapter \(adapter_config\.json\): merge it") as raised:
        backbone.load() if later else resolve(bert_folder)
    assert str(raised.value).startswith(f"hf:{bert_folder}")
    assert "\n" not in str(raised.value)


def test_an_adapter_without_its_model_is_named_as_one(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="has an adapter"):
        resolve(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PICKLE, TIMM),
        ({"model_type": "timm_backbone", "backbone": "hf-hub:org/name"}, TIMM),
        ({"model_type": "llava", "vision_config": PICKLE}, TIMM),
        ({"parts": [{"pretrained_cfg": {}}]}, TIMM),
        ({"use_timm_backbone": True}, TIMM),
        ({"use_pretrained_backbone": True}, ELSEWHERE),
        ({"backbone": "org/name"}, ELSEWHERE),
        ({"attn_implementation": "org/name"}, r"code from the hub: remove attn_implementation"),
        ({"_attn_implementation": {"text_config": "org/name"}}, r"code from the hub: remove _attn_implementation"),
    ],
)
def test_a_configuration_that_has_others_loaded_is_refused_before_it_is_read(bert_folder, rewrite, config, message):
    rewrite(bert_folder, **config)
    with pytest.raises(UsageError, match=message) as raised:
        resolve(bert_folder)
    assert "\n" not in str(raised.value)


def test_what_the_library_fills_in_is_looked_at_too(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "detr"}')
    assert resolve(tmp_path)
    with pytest.raises(UsageError, match=rf"^title: config\.json {TIMM}"):
        load_config(tmp_path, "title")


def test_own_parts_are_no_business_of_others(bert_folder, rewrite):
    rewrite(bert_folder, backbone=None, use_timm_backbone=False, backbone_config={}, attn_implementation="eager")
    assert resolve(bert_folder).load()


def test_a_configuration_that_is_no_json_is_one_line(bert_folder):
    (bert_folder / "config.json").write_text("{\n")
    with pytest.raises(UsageError, match=r"config\.json: not valid JSON") as raised:
        resolve(bert_folder)
    assert "\n" not in str(raised.value)


def test_every_family_that_the_library_leaves_to_timm_is_known():
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    left = {family for family, model in MODEL_MAPPING_NAMES.items() if str(model).startswith("Timm")}
    assert {"timm_wrapper", "timm_backbone"} <= left <= TIMM_FAMILIES
