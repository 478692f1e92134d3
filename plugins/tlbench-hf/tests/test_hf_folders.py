"""Models in local folders: their revisions, and which folders are refused."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from tlbench_hf.plugin import tlbench_resolve

from tlbench import Classes, Example, Examples, PluginError, Text, UsageError
from tlbench.modeling.encoder import Hidden
from tlbench.testing.agreement import assert_same_in_fp64

OUTPUT = Classes(("no", "yes"))
EXAMPLES = Examples([Example("0", ("the cat sat on the mat",)), Example("1", ("the dog ran",)), Example("2", ("",))])


def resolve(name):
    return tlbench_resolve("backbone", name)


def with_readout(folder, readout):
    import dataclasses

    return dataclasses.replace(resolve(f"hf:{folder}"), readout=readout)


def test_names_of_others_are_left_to_them():
    assert tlbench_resolve("task", "hf:org/name") is None
    assert resolve("timm:resnet18") is None


def test_a_folder_is_a_backbone(bert_folder, no_network, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    backbone = resolve(f"hf:{bert_folder}")
    encoder = backbone.load()
    batch = backbone.featurize(EXAMPLES, OUTPUT).batch(range(3))
    with torch.no_grad():
        whole = encoder(batch)
        for k in range(1, 5):
            assert torch.equal(encoder(encoder(batch, stop=k), start=k).x, whole.x)
    assert encoder.readout == "mean"
    assert encoder.pool(whole).shape == (3, 16)
    card = backbone.card()
    assert (card.family, card.stages, card.width, card.on_disk) == ("bert", 3, 16, True)
    assert card.parameters == sum(p.numel() for p in encoder.parameters())


def test_a_folder_s_name_pins_its_content(bert_folder, rewrite, tmp_path, monkeypatch):
    backbone = resolve(f"hf:{bert_folder}")
    assert backbone.name == f"hf:{bert_folder}@{backbone.revision}"
    assert resolve(backbone.name) == backbone
    monkeypatch.chdir(tmp_path)
    assert resolve("hf:./tiny-bert") == backbone
    identity = backbone.load().identity
    rewrite(bert_folder, lambda tensors: {name: tensor + 1 for name, tensor in tensors.items()})
    changed = resolve(f"hf:{bert_folder}")
    assert changed.revision != backbone.revision
    assert changed.load().identity != identity
    with pytest.raises(UsageError, match=f"digest is now {changed.revision}"):
        resolve(backbone.name)


def test_the_same_content_elsewhere_has_the_same_revision(bert_folder, tmp_path):
    copied = shutil.copytree(bert_folder, tmp_path / "copy")
    os.utime(copied / "config.json", (1, 1))
    assert resolve(f"hf:{copied}").revision == resolve(f"hf:{bert_folder}").revision


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:/no/such/folder", "neither a folder nor"),
        ("hf:./no-such-folder", "neither a folder nor"),
        ("hf:a/b/c", "neither a folder nor"),
        ("hf:", "neither a folder nor"),
    ],
)
def test_what_is_no_model_is_refused_by_name(name, message):
    with pytest.raises(UsageError, match=message):
        resolve(name)


def test_a_folder_without_a_model_is_refused(tmp_path, bert_folder):
    with pytest.raises(UsageError, match=r"no config\.json"):
        resolve(f"hf:{tmp_path}")
    backbone = resolve(f"hf:{bert_folder}")
    shutil.rmtree(bert_folder)
    assert not backbone.card().on_disk
    with pytest.raises(UsageError, match=r"the folder has no config\.json any more"):
        backbone.load()


def without(name):
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


def renamed(name, new):
    return lambda tensors: {new if key == name else key: value for key, value in tensors.items()}


WEIGHT = "encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without(WEIGHT), f"missing from the checkpoint: {WEIGHT}"),
        (renamed(WEIGHT, "encoder.layer.1.output.thick.weight"), f"missing from the checkpoint: {WEIGHT}"),
        (lambda t: t | {WEIGHT: t[WEIGHT][:, :-1].contiguous()}, WEIGHT),
        (lambda t: t | {"encoder.layer.3.output.dense.weight": t[WEIGHT].clone()}, r"left over in .*layer\.3"),
        (lambda t: {f"other.{key}": value for key, value in t.items()}, r"missing from .* and \d+ more"),
    ],
    ids=["missing", "renamed", "another shape", "left over", "another prefix"],
)
def test_a_tensor_of_the_encoder_that_does_not_load_is_an_error(bert_folder, rewrite, change, message):
    rewrite(bert_folder, change)
    with pytest.raises(PluginError, match=message) as raised:
        resolve(f"hf:{bert_folder}").load()
    assert "\n" not in str(raised.value)


def test_heads_of_other_tasks_may_be_left_over(bert_folder, rewrite):
    def with_heads(tensors):
        named = {f"bert.{key}": value for key, value in tensors.items()}
        return named | {"cls.predictions.bias": torch.zeros(3), "bert.embeddings.position_ids": torch.arange(24)}

    expected = resolve(f"hf:{bert_folder}").load().native.state_dict()
    rewrite(bert_folder, with_heads, architectures=["BertForMaskedLM"])
    found = resolve(f"hf:{bert_folder}").load().native.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


OLD = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 8}
MASKS = {
    "gpt2": (OLD, "attn.bias"),
    "gptj": (OLD | {"rotary_dim": 4}, "attn.bias"),
    "codegen": (OLD | {"rotary_dim": 4}, "attn.causal_mask"),
    "gpt_neo": (
        {"hidden_size": 16, "num_layers": 2, "num_heads": 4, "attention_types": [[["global"], 2]]},
        "attn.attention.bias",
    ),
}


@pytest.mark.parametrize("family", MASKS)
def test_masks_that_old_checkpoints_carry_are_no_weights(family, tmp_path, rewrite):
    import transformers

    sizes, mask = MASKS[family]
    config = transformers.AutoConfig.for_model(family, **sizes, vocab_size=21, bos_token_id=0, eos_token_id=0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    block = "transformer.h.0."
    rewrite(
        tmp_path, lambda t: t | {f"{block}{mask}": torch.ones(1, 1, 8, 8), f"{block}attn.masked_bias": torch.ones(())}
    )
    backbone = resolve(f"hf:{tmp_path}")
    assert backbone.card().parameters == sum(p.numel() for p in backbone.load().parameters())
    if family in ("gptj", "gpt_neo"):  # the library itself leaves out GPT-2's
        rewrite(tmp_path, lambda t: t | {f"{block}{mask}": torch.ones(16)})
        with pytest.raises(PluginError, match=f"left over in the checkpoint: .*{mask}"):
            resolve(f"hf:{tmp_path}").load()


def test_a_missing_pooler_matters_only_to_its_readout(bert_folder, rewrite):
    pooled = with_readout(bert_folder, "pooler").load()
    hidden = Hidden(torch.randn(2, 3, 16))
    assert torch.equal(pooled.pool(hidden), pooled.native.pooler(hidden.x))
    assert "pooler.dense.weight" in pooled.stages[-1].parameters
    rewrite(bert_folder, lambda t: {key: value for key, value in t.items() if "pooler" not in key})
    assert resolve(f"hf:{bert_folder}").load().native.pooler is None
    with pytest.raises(PluginError, match=r"missing from the checkpoint: pooler\.dense"):
        with_readout(bert_folder, "pooler").load()


def test_half_precision_weights_load_in_full(bert_folder, rewrite):
    rewrite(bert_folder, lambda t: {key: value.bfloat16() for key, value in t.items()}, dtype="bfloat16")
    for pretrained in (True, False):
        encoder = resolve(f"hf:{bert_folder}").load(pretrained=pretrained)
        assert {p.dtype for p in encoder.parameters()} == {torch.float32}


def test_pickled_weights_are_refused(bert_folder):
    (bert_folder / "model.safetensors").unlink()
    torch.save({"x": torch.zeros(1)}, bert_folder / "pytorch_model.bin")
    with pytest.raises(UsageError, match="safetensors"):
        resolve(f"hf:{bert_folder}").load()


def test_code_of_a_model_is_never_run(bert_folder, rewrite, tmp_path):
    ran = tmp_path / "ran"
    (bert_folder / "code.py").write_text(f"open({str(ran)!r}, 'w')")
    names = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    rewrite(bert_folder, model_type="their-own", auto_map=names)
    with pytest.raises(UsageError):
        with_readout(bert_folder, "mean").load()
    assert not ran.exists()


def test_an_unknown_family_must_say_how_it_is_read(bert_folder, rewrite):
    rewrite(bert_folder, model_type="their-own")
    with pytest.raises(UsageError, match=r"their-own.*readout=mean"):
        resolve(f"hf:{bert_folder}").load()


@pytest.mark.parametrize(("mode", "readout"), [("cls_token", "first"), ("lasttoken", "last"), ("mean_tokens", "mean")])
def test_a_folder_of_sentence_transformers_says_how_it_is_read(bert_folder, mode, readout):
    (bert_folder / "1_Pooling").mkdir()
    (bert_folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{mode}": True}))
    assert resolve(f"hf:{bert_folder}").load().readout == readout


def test_a_decoder_without_padding_is_padded_under_the_mask(tmp_path, tokenizer_files):
    import transformers

    config = transformers.GPT2Config(
        vocab_size=21, n_embd=16, n_layer=2, n_head=2, n_positions=10, bos_token_id=20, eos_token_id=20
    )
    folder = tmp_path / "tiny-gpt2"
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer_files(folder, bare=True)
    backbone = resolve(f"hf:{folder}")
    encoder = backbone.load().double()
    data = backbone.featurize(EXAMPLES, OUTPUT)
    batch = data.batch(range(3))
    assert "token_type_ids" not in batch, "GPT-2 would add embeddings for them"
    assert data.lengths.tolist() == [6, 3, 1], "an empty text is one token"
    assert batch["attention_mask"].sum(1).tolist() == [6, 3, 1]
    alone = [encoder.pool(encoder(data.batch([i]))) for i in range(3)]
    assert encoder.readout == "last"
    assert_same_in_fp64(encoder.pool(encoder(batch)), torch.cat(alone))


@pytest.mark.parametrize("family", ["albert", "t5", "gpt2"])
def test_depth_cuts_families_that_name_and_share_blocks_otherwise(family, tmp_path, tokenizer_files):
    import dataclasses

    import transformers

    sizes = {"vocab_size": 21, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20}
    configs = {
        "albert": transformers.AlbertConfig(**sizes, num_hidden_layers=3, embedding_size=8),
        "t5": transformers.T5Config(vocab_size=21, d_model=16, num_layers=3, num_heads=2, d_kv=8, d_ff=20),
        "gpt2": transformers.GPT2Config(vocab_size=21, n_embd=16, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=0),
    }
    model = {"albert": transformers.AlbertModel, "t5": transformers.T5ForConditionalGeneration}
    model.get(family, transformers.GPT2Model)(configs[family]).save_pretrained(tmp_path / family)
    tokenizer_files(tmp_path / family)
    backbone = resolve(f"hf:{tmp_path / family}")
    whole, batch = backbone.load(), backbone.featurize(EXAMPLES, OUTPUT).batch(range(2))
    norm = {"t5": "encoder.final_layer_norm", "gpt2": "ln_f"}.get(family)
    for depth in (2, 1, 0):
        encoder = dataclasses.replace(backbone, depth=depth).load()
        assert len(encoder.stages) == depth + 1
        with torch.no_grad():
            expected = whole(batch, stop=depth + 1).x
            expected = whole.native.get_submodule(norm)(expected) if norm else expected
            assert torch.equal(encoder(batch).x, expected)
    assert encoder.identity != whole.identity


def test_depth_of_shared_blocks_in_groups_is_refused(tmp_path, tokenizer_files):
    import dataclasses

    import transformers

    config = transformers.AlbertConfig(
        vocab_size=21, hidden_size=16, num_attention_heads=2, intermediate_size=20, num_hidden_layers=4,
        embedding_size=8, num_hidden_groups=2,
    )  # fmt: skip
    transformers.AlbertModel(config).save_pretrained(tmp_path / "albert")
    with pytest.raises(UsageError, match="4 layers share 2 blocks"):
        dataclasses.replace(resolve(f"hf:{tmp_path / 'albert'}"), depth=2).load()


def test_models_without_a_decoder_say_which_have_one(bert_folder):
    backbone = resolve(f"hf:{bert_folder}")
    reason = backbone.supports(Text(6))
    assert "the family bert has no decoder" in reason
    assert "T5" in reason
    assert backbone.supports(OUTPUT) is None
    with pytest.raises(PluginError, match="the family bert has no decoder"):
        backbone.head(Text(6), backbone.load())
