"""One convention serves all families: equal bits at every cut, whichever arguments and outputs their blocks have."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import transformers
from tlbench_hf.blocks import find_blocks
from tlbench_hf.families import ENCODER_DECODERS
from tlbench_hf.text.text_convention import TextConvention

from tlbench import PluginError
from tlbench.modeling.encoder import Hidden
from tlbench.modeling.stages.staged_encoder import StagedEncoder
from tlbench.training import freeze

SIZES = {"vocab_size": 60, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20}
DEBERTA = {"relative_attention": True, "position_buckets": 4, "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm"}
HALVES = {
    "vocab_size": 60, "d_model": 16, "encoder_layers": 3, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_position_embeddings": 32,
    "pad_token_id": 0,
}  # fmt: skip
CONFIGS = {
    "bert": transformers.BertConfig(**SIZES, num_hidden_layers=3),
    "albert": transformers.AlbertConfig(**SIZES, num_hidden_layers=3, embedding_size=8),
    "albert-groups": transformers.AlbertConfig(**SIZES, num_hidden_layers=4, embedding_size=8, num_hidden_groups=2),
    "t5": transformers.T5Config(vocab_size=60, d_model=16, num_layers=3, num_heads=2, d_kv=8, d_ff=20),
    "deberta-v2": transformers.DebertaV2Config(**SIZES, **DEBERTA, num_hidden_layers=3, share_att_key=True),
    "deberta-v2-conv": transformers.DebertaV2Config(**SIZES, **DEBERTA, num_hidden_layers=3, conv_kernel_size=3),
    "gpt2": transformers.GPT2Config(
        vocab_size=60, n_embd=16, n_layer=3, n_head=2, n_positions=32, bos_token_id=0, eos_token_id=0
    ),
    "llama": transformers.LlamaConfig(**SIZES, num_hidden_layers=3, num_key_value_heads=1),
    "roberta": transformers.RobertaConfig(**SIZES, num_hidden_layers=3),
    "distilbert": transformers.DistilBertConfig(vocab_size=60, dim=16, n_layers=3, n_heads=2, hidden_dim=20),
    "electra": transformers.ElectraConfig(**SIZES, num_hidden_layers=3, embedding_size=8),
    "mpnet": transformers.MPNetConfig(**SIZES, num_hidden_layers=3),
    "bart": transformers.BartConfig(**HALVES),
    "mbart": transformers.MBartConfig(**HALVES),
    "marian": transformers.MarianConfig(**HALVES, decoder_start_token_id=1),
    "pegasus": transformers.PegasusConfig(**HALVES),
    "xlnet": transformers.XLNetConfig(vocab_size=60, d_model=16, n_layer=3, n_head=2, d_inner=20),
}
TARGETS = {
    "albert": ["query"], "t5": ["q", "v"], "deberta-v2": ["query_proj"], "gpt2": ["c_attn"], "llama": ["q_proj"],
    "bart": ["q_proj"],
}  # fmt: skip


def make(family: str) -> StagedEncoder:
    torch.manual_seed(0)
    config = copy.deepcopy(CONFIGS[family])
    whole = not config.is_encoder_decoder or config.model_type in ENCODER_DECODERS
    auto = transformers.AutoModel if whole else transformers.AutoModelForTextEncoding
    native = auto.from_config(config, dtype=torch.float32).eval()
    native = native.get_encoder() if config.model_type in ENCODER_DECODERS else native
    if hasattr(native, "pooler"):
        native.pooler = None
    with torch.no_grad():
        # The usual initial weights are so small that a wrong cut could go unseen.
        for parameter in native.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return StagedEncoder(native, TextConvention(native), find_blocks(native, family), readout="mean", identity=family)


def padded() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    mask = (torch.arange(7) < torch.tensor([[7], [3], [5]])).long()
    return {"input_ids": torch.randint(5, 60, (3, 7)) * mask, "attention_mask": mask}


def assert_cuts_are_exact(encoder: StagedEncoder) -> None:
    with torch.no_grad():
        whole = encoder(padded())
        for k in range(1, len(encoder.stages) + 1):
            middle = encoder(padded(), stop=k)
            rest = encoder(Hidden(middle.x.clone(), middle.mask, middle.extras), start=k)
            assert torch.equal(rest.x, whole.x), k
            assert torch.equal(rest.mask, padded()["attention_mask"].bool())


@pytest.mark.parametrize("family", CONFIGS)
def test_a_cut_at_every_stage_gives_the_same_bits(family):
    encoder = make(family)
    before = [(path, id(module)) for path, module in encoder.native.named_modules()]
    assert len(encoder.stages) == encoder.native.config.num_hidden_layers + 1
    assert_cuts_are_exact(encoder)
    assert [(path, id(module)) for path, module in encoder.native.named_modules()] == before
    with torch.no_grad():
        assert torch.equal(encoder(padded()).x, encoder.native(**padded()).last_hidden_state)


@pytest.mark.parametrize("family", CONFIGS)
def test_stages_after_a_cut_learn_as_in_a_whole_pass(family):
    encoder = make(family)
    for k in range(1, len(encoder.stages)):
        upper = dict(encoder.stage_parameters(k))
        if not upper:
            continue
        for name, parameter in encoder.stage_parameters():
            parameter.requires_grad_(name in upper)
        encoder.zero_grad()
        encoder.pool(encoder(padded())).square().sum().backward()
        expected = {name: p.grad.clone() for name, p in upper.items() if p.grad is not None}
        encoder.zero_grad()
        with torch.no_grad():
            middle = encoder(padded(), stop=k)
        encoder.pool(encoder(Hidden(middle.x.clone(), middle.mask), start=k)).square().sum().backward()
        found = {name: p.grad for name, p in upper.items() if p.grad is not None}
        assert found.keys() == expected.keys()
        assert found
        assert all(torch.equal(found[name], expected[name]) for name in expected), k


@pytest.mark.parametrize("family", CONFIGS)
def test_every_parameter_is_in_one_stage(family):
    encoder = make(family)
    names = [name for stage in encoder.stages for name in stage.parameters]
    assert sorted(names) == sorted(name for name, _ in encoder.native.named_parameters())
    for i, stage in enumerate(encoder.stages[1:-1]):
        if not family.startswith("albert"):
            assert all(f".{i}." in f".{name}" for name in stage.parameters if ".conv." not in name)


@pytest.mark.filterwarnings("ignore:fan_in_fan_out")
@pytest.mark.parametrize("family", TARGETS)
def test_adapters_injected_into_the_native_module_keep_cuts_exact(family):
    peft = pytest.importorskip("peft")
    encoder = make(family)
    config = peft.LoraConfig(target_modules=TARGETS[family], init_lora_weights=False)
    peft.inject_adapter_in_model(config, encoder.native)
    encoder.eval()
    assert_cuts_are_exact(encoder)
    adapted = [name for name, _ in encoder.stage_parameters(1) if "lora_" in name]
    assert adapted
    assert adapted == [name for name, p in encoder.stage_parameters() if p.requires_grad]


@pytest.mark.filterwarnings("ignore:fan_in_fan_out")
@pytest.mark.parametrize("family", TARGETS)
def test_a_module_that_a_library_has_wrapped_has_the_stages_that_it_had(family):
    peft = pytest.importorskip("peft")
    encoder, injected = make(family), make(family)
    settings = {"target_modules": TARGETS[family], "init_lora_weights": False}
    peft.inject_adapter_in_model(peft.LoraConfig(**settings), injected.native)
    encoder.native = peft.get_peft_model(encoder.native, peft.LoraConfig(**settings))
    encoder.eval()
    assert_cuts_are_exact(encoder)
    assert [len(stage.parameters) for stage in encoder.stages] == [len(stage.parameters) for stage in injected.stages]


def test_adapters_of_the_top_block_belong_to_it_however_they_got_there():
    peft = pytest.importorskip("peft")
    encoder = make("bert")
    config = peft.LoraConfig(target_modules=["query"], layers_to_transform=[len(encoder.stages) - 2])
    encoder.native = peft.get_peft_model(encoder.native, config)
    trained = [name for name, p in encoder.stage_parameters(len(encoder.stages) - 1) if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    freeze(encoder, len(encoder.stages) - 1)
    assert [name for name, p in encoder.native.named_parameters() if p.requires_grad] == trained


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_virtual_tokens_stand_before_a_batch_and_are_gone_at_the_end(family):
    peft = pytest.importorskip("peft")
    encoder = make(family)
    config = peft.PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=4)
    encoder.native = peft.get_peft_model(encoder.native, config).eval()
    assert_cuts_are_exact(encoder)
    with torch.no_grad():
        middle, whole = encoder(padded(), stop=2), encoder(padded())
    assert middle.x.shape[1] == padded()["input_ids"].shape[1] + 4
    assert middle.mask.shape == middle.x.shape[:2]
    assert whole.x.shape[:2] == padded()["input_ids"].shape
    assert encoder.pool(whole).shape == (3, encoder.width)
    assert [name for name, p in encoder.stage_parameters(0, 1) if p.requires_grad] == [
        "prompt_encoder.default.embedding.weight"
    ]


def test_a_parameter_that_no_stage_reads_is_refused():
    encoder = make("bert")
    encoder.native.add_module("extra", torch.nn.Linear(2, 2))
    with pytest.raises(PluginError, match=r"extra\.weight belongs to no stage"):
        _ = encoder.stages


def test_positions_given_with_the_batch_reach_the_later_blocks():
    encoder = make("llama")
    batch = padded() | {"position_ids": torch.arange(7).expand(3, 7) * 3}
    with torch.no_grad():
        middle = encoder(batch, stop=2)
        assert torch.equal(encoder(middle, start=2).x, encoder(batch).x)
        assert not torch.equal(encoder(Hidden(middle.x, middle.mask), start=2).x, encoder(batch).x)


def test_a_cut_under_autocast_is_exact():
    encoder = make("bert")
    with torch.autocast("cpu", torch.bfloat16):
        assert_cuts_are_exact(encoder)


def test_blocks_spread_over_lists_are_refused():
    native = transformers.XLMModel(transformers.XLMConfig(vocab_size=60, emb_dim=16, n_layers=3, n_heads=2))
    with pytest.raises(PluginError, match="spreads its blocks over attentions"):
        find_blocks(native, "xlm")


LLAMA = Path(__file__).parents[4] / "shared" / "data" / "weights" / "stories260k_llama"


@pytest.mark.skipif(not LLAMA.is_dir(), reason="the weights of stories260k_llama are not on this machine")
def test_a_trained_llama_is_cut_exactly_and_read_at_its_last_token():
    from tlbench_hf.plugin import tlbench_resolve

    from tlbench import Classes, Example, Examples

    backbone = tlbench_resolve("backbone", f"hf:{LLAMA}")
    encoder = backbone.load()
    texts = ("Once upon a time there was a dog.", "The cat ran.", "")
    examples = Examples(Example(str(i), (text,)) for i, text in enumerate(texts))
    batch = backbone.featurize(examples, Classes(("no", "yes"))).batch(range(3))
    assert "token_type_ids" not in batch
    with torch.no_grad():
        whole = encoder(batch)
        for k in range(1, 7):
            assert torch.equal(encoder(encoder(batch, stop=k), start=k).x, whole.x)
        pooled = encoder.pool(whole)
    assert encoder.readout == "last"
    ends = batch["attention_mask"].sum(1) - 1
    assert torch.equal(pooled, whole.x[torch.arange(3), ends])
    card = backbone.card()
    assert (card.stages, card.width) == (5, 64)
    assert card.parameters == sum(p.numel() for p in encoder.parameters())
