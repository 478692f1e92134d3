"""Text-generating models: loss and texts equal those of transformers, and every weight belongs to one module."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from tlbench_hf.plugin import tlbench_resolve

from tlbench import Example, Examples, PluginError, Text
from tlbench.modeling.encoder import Hidden, count_parameters
from tlbench.modeling.heads import Outputs
from tlbench.testing.agreement import assert_same_in_fp64

SPECIAL = ["<pad>", "</s>", "<unk>", "<s>"]
VOCABULARY = [*SPECIAL, *"a the cat dog sat ran on mat road and then it was so very far away => one two three".split()]
OUTPUT = Text(6)
PAIRS = [
    ("the cat sat on the mat", "a cat"),
    ("the dog ran", "a dog ran and ran away"),
    ("it was so very far away and then the road was so far", "far"),
    ("one", "two three"),
]
EXAMPLES = Examples(Example(str(i), (source,), (target, "the")) for i, (source, target) in enumerate(PAIRS))
SIZES = {"vocab_size": len(VOCABULARY), "pad_token_id": 0, "eos_token_id": 1}
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20, "num_hidden_layers": 2}
T5 = {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 20, "decoder_start_token_id": 0}
BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "max_position_embeddings": 32, "decoder_start_token_id": 1,
    "bos_token_id": 3, "forced_eos_token_id": 1,
}  # fmt: skip
MODELS = {
    "t5": (transformers.T5ForConditionalGeneration, transformers.T5Config(**SIZES, **T5)),
    "mt5": (transformers.MT5ForConditionalGeneration, transformers.MT5Config(**SIZES, **T5, tie_word_embeddings=False)),
    "bart": (transformers.BartForConditionalGeneration, transformers.BartConfig(**SIZES, **BART, scale_embedding=True)),
    "gpt2": (
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config(**SIZES, n_embd=16, n_layer=2, n_head=2, n_positions=32, bos_token_id=1),
    ),
    "llama": (
        transformers.LlamaForCausalLM,
        transformers.LlamaConfig(
            **SIZES, **SMALL, num_key_value_heads=1, bos_token_id=3, max_position_embeddings=32,
            tie_word_embeddings=False,
        ),
    ),
    "opt": (
        transformers.OPTForCausalLM,
        transformers.OPTConfig(**SIZES, **SMALL, ffn_dim=20, bos_token_id=1, max_position_embeddings=32),
    ),
    "gpt_neox": (transformers.GPTNeoXForCausalLM, transformers.GPTNeoXConfig(**SIZES, **SMALL)),
}  # fmt: skip
TEXT_TO_TEXT = ("t5", "mt5", "bart")
ALONE = ("gpt2", "llama", "opt", "gpt_neox")
TIED = ("gpt2", "opt")
TEMPLATES = {"bart": "<s> $A </s>", "llama": "<s> $A", "t5": "$A </s>", "mt5": "$A </s>"}


def write_tokenizer(folder: Path, template: str | None) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template:
        ends = [(name, SPECIAL.index(name)) for name in ("<s>", "</s>")]
        backend.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", eos_token="</s>", bos_token="<s>"
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny model of each family with weights large enough for every one of them to count."""
    root = tmp_path_factory.mktemp("models")
    for family, (model, config) in MODELS.items():
        torch.manual_seed(5)
        native = model(copy.deepcopy(config))
        with torch.no_grad():
            for parameter in native.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        native.save_pretrained(root / family)
        write_tokenizer(root / family, TEMPLATES.get(family))
    return root


@pytest.fixture
def backbone(request, folders):
    return tlbench_resolve("backbone", f"hf:{folders / request.param}")


def plain(folders: Path, family: str):
    model = MODELS[family][0]
    return model.from_pretrained(folders / family, dtype=torch.float32).eval()


def both(names):
    return pytest.mark.parametrize("backbone", names, indirect=True)


def family_of(backbone) -> str:
    return Path(backbone.source).name


@pytest.mark.equivalence
@both(TEXT_TO_TEXT)
def test_an_encoder_decoder_has_the_library_s_loss_and_gradients(backbone, folders, norms_in_their_own_numbers):
    encoder = backbone.load().double()
    head = backbone.head(OUTPUT, encoder).double()
    data = backbone.featurize(EXAMPLES, OUTPUT)
    batch, targets = data.batch(range(4)), head.targets(data)
    loss = head.loss(head(encoder, encoder(batch)), torch.nn.functional.pad(targets, (0, 3), value=-100))
    native = plain(folders, family_of(backbone)).double()
    expected = native(**batch, labels=targets).loss
    assert_same_in_fp64(loss, expected)
    loss.backward()
    expected.backward()
    table = native.get_input_embeddings().weight.grad
    assert_same_in_fp64(encoder.native.get_input_embeddings().weight.grad, table)


@pytest.mark.equivalence
@both(ALONE)
def test_a_decoder_alone_has_the_library_s_loss_on_the_targets_alone(backbone, folders):
    encoder = backbone.load().double()
    head = backbone.head(OUTPUT, encoder).double()
    data = backbone.featurize(EXAMPLES, OUTPUT)
    batch, targets = data.batch(range(4)), head.targets(data)
    loss = head.loss(head(encoder, encoder(batch)), targets)
    inside = {name: batch[name] for name in ("input_ids", "attention_mask")}
    places = torch.arange(inside["input_ids"].shape[1])
    written = (places >= batch["prompt_lengths"][:, None]) & inside["attention_mask"].bool()
    assert written.sum() == (targets != -100).sum()
    # by hand, of what was written: the library's own loss is in fp32 whatever the logits are
    logits = plain(folders, family_of(backbone)).double()(**inside).logits[:, :-1][written[:, 1:]]
    assert_same_in_fp64(loss, torch.nn.functional.cross_entropy(logits, inside["input_ids"][written]))


@pytest.mark.parametrize("beams", [1, 3])
@both(TEXT_TO_TEXT)
def test_an_encoder_decoder_writes_what_the_library_writes(backbone, folders, beams):
    backbone = dataclasses.replace(backbone, beams=beams)
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    data = backbone.featurize(EXAMPLES, OUTPUT)
    batch = data.batch(range(4))
    native = plain(folders, family_of(backbone))
    with torch.no_grad():
        ids = native.generate(**batch, max_new_tokens=6, num_beams=beams, do_sample=False, use_cache=True)
        outputs = head.decode(encoder, batch)
    assert outputs.values == texts_of(backbone, ids)
    assert len(set(outputs.values)) > 1
    predictions = head.merge([Outputs.joined([outputs], [0, 1, 2, 3])], data)
    assert predictions.ids == data.ids
    assert predictions.values.dtype == object
    assert predictions.values.tolist() == outputs.values


@pytest.mark.parametrize("beams", [1, 3])
@both(ALONE)
def test_a_decoder_alone_writes_what_the_library_writes_after_each_prompt(backbone, folders, beams):
    backbone = dataclasses.replace(backbone, beams=beams)
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    data = backbone.featurize(EXAMPLES, OUTPUT)
    native = plain(folders, family_of(backbone))
    with torch.no_grad():
        written = head.decode(encoder, data.batch(range(4))).values
        for i, (source, _) in enumerate(PAIRS):
            prompt = tokenizer_of(backbone)(f"{source}\n=>", return_tensors="pt")["input_ids"]
            ids = native.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=6, num_beams=beams, do_sample=False
            )
            assert written[i] == texts_of(backbone, ids[:, prompt.shape[1] :])[0]
    assert len(set(written)) > 1
    # the library's own modules are as they were: nothing of the head stayed in them, nor of them in the head
    assert count_parameters(head) == (0 if family_of(backbone) in TIED else len(VOCABULARY) * 16)


@both(MODELS)
def test_targets_cannot_be_reached_from_a_prediction(backbone):
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    garbage = Examples(dataclasses.replace(example, target=("very far away so so so so",)) for example in EXAMPLES)
    found = []
    for examples in (EXAMPLES, garbage, EXAMPLES.without_targets()):
        data = head.asked(backbone.featurize(examples, OUTPUT))
        assert all(len(row.target) == 0 for row in data.rows)
        with torch.no_grad():
            found.append(head.decode(encoder, data.batch(range(4))).values)
            if head.reads_batch:
                whole = backbone.featurize(examples, OUTPUT)
                assert head.decode(encoder, whole.batch(range(4))).values == found[-1]
        assert data.lengths.tolist() == [len(row.ids) for row in data.rows]
    assert found[0] == found[1] == found[2]


@both(MODELS)
def test_every_weight_is_in_one_place(backbone, folders):
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    model = torch.nn.ModuleList([encoder.native, head])
    assert count_parameters(model) == count_parameters(plain(folders, family_of(backbone)))
    assert not {id(p) for p in encoder.parameters()} & {id(p) for p in head.parameters()}
    staged = [name for stage in encoder.stages for name in stage.parameters]
    assert sorted(staged) == sorted(name for name, _ in encoder.native.named_parameters())
    card = backbone.card()
    assert sum(p.numel() for p in encoder.native.parameters()) == card.parameters
    assert count_parameters(head) == card.decoder_parameters


@both(MODELS)
def test_cached_states_of_every_stage_serve_the_head(backbone):
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    data = backbone.featurize(EXAMPLES, OUTPUT)
    batch, targets = data.batch(range(4)), head.targets(data)
    with torch.no_grad():
        whole = encoder(batch)
        expected = head.loss(head(encoder, whole), targets)
        # The loss is a mean over the tokens of all targets, and a log-likelihood a sum over those of one.
        likelihoods = head.log_likelihood(head(encoder, whole), targets)
        assert torch.allclose(likelihoods.sum(), -expected * (targets != -100).sum())
        assert torch.allclose(
            head.log_likelihood(head(encoder, encoder(data.batch([2]))), targets[[2]]), likelihoods[2]
        )
        for k in range(1, len(encoder.stages) + 1):
            middle = encoder(batch, stop=k)
            rest = encoder(Hidden(middle.x.clone(), middle.mask), start=k)
            assert torch.equal(head.loss(head(encoder, rest), targets), expected), k


@both(MODELS)
def test_a_head_is_saved_and_read_back_as_plain_tensors(backbone, tmp_path):
    from safetensors.torch import load_file, save_file

    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    data = backbone.featurize(EXAMPLES, OUTPUT)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.randn_like(parameter))
        expected = head.loss(head(encoder, encoder(data.batch(range(4)))), head.targets(data))
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    other = backbone.head(OUTPUT, encoder)
    other.load_state_dict(load_file(tmp_path / "head.safetensors"))
    with torch.no_grad():
        assert torch.equal(other.loss(other(encoder, encoder(data.batch(range(4)))), other.targets(data)), expected)
        fresh = backbone.head(OUTPUT, encoder)
        first = fresh.loss(fresh(encoder, encoder(data.batch(range(4)))), fresh.targets(data))
    # what one fit does to its head is not seen by the next
    assert torch.equal(first, expected) == (family_of(backbone) in TIED)


@both(MODELS)
def test_a_head_is_as_random_as_its_encoder(backbone):
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        encoder = backbone.load(pretrained=False)
        drawn.append(list(backbone.head(OUTPUT, encoder).parameters()))
    first, again, other = drawn
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    pretrained = list(backbone.head(OUTPUT, backbone.load()).parameters())
    if first:
        assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))
        assert any(not torch.equal(a, b) for a, b in zip(first, pretrained, strict=True))


@both(["t5", "llama"])
def test_decoders_that_do_not_all_arrive_are_refused(backbone, folders, tmp_path, rewrite):
    broken = tmp_path / "broken"
    shutil.copytree(folders / family_of(backbone), broken)
    lost = {"t5": "decoder.final_layer_norm.weight", "llama": "lm_head.weight"}[family_of(backbone)]
    rewrite(broken, lambda tensors: {name: tensor for name, tensor in tensors.items() if name != lost})
    other = tlbench_resolve("backbone", f"hf:{broken}")
    encoder = other.load()
    with pytest.raises(PluginError, match=f"missing from the checkpoint: {lost}"):
        other.head(OUTPUT, encoder)


@both(ALONE)
def test_a_decoder_cut_to_its_lower_blocks_writes_with_those(backbone):
    assert backbone.supports(OUTPUT) is None
    backbone = dataclasses.replace(backbone, depth=1)
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    data = backbone.featurize(EXAMPLES, OUTPUT)
    with torch.no_grad():
        together = head.decode(encoder, data.batch(range(4))).values
        assert together == [head.decode(encoder, data.batch([row])).values[0] for row in range(4)]


@both(["bart", "llama"])
def test_a_head_has_the_numbers_of_its_encoder(backbone):
    encoder = backbone.load().to(torch.bfloat16)
    head = backbone.head(OUTPUT, encoder)
    assert {p.dtype for p in head.parameters()} == {torch.bfloat16}
    data = backbone.featurize(EXAMPLES, OUTPUT)
    with torch.no_grad():
        loss = head.loss(head(encoder, encoder(data.batch(range(4)))), head.targets(data))
        assert len(head.decode(encoder, data.batch(range(4))).values) == 4
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


def tokenizer_of(backbone):
    return transformers.AutoTokenizer.from_pretrained(backbone.source)


def texts_of(backbone, ids) -> list[str]:
    return [text.strip() for text in tokenizer_of(backbone).batch_decode(ids, skip_special_tokens=True)]
