"""Tiny models of transformers families, saved as folders with tokenizers, pass the conformance checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import tokenizers
import torch
import transformers
from tlbench_hf.backbone import HFBackbone
from tlbench_hf.loading import quiet
from tlbench_hf.sources import digest
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from tlbench import Protocol
from tlbench.testing.conformance import BackboneConformance
from tlbench.testing.conformance.inputs import WORDS
from tlbench.testing.jobs import make_job
from tlbench.testing.toy_kinds import ToySpanTask, ToyWordsTask
from tlbench.testing.toys import ToyFit
from tlbench.training import Model, groups_of, train

POSITIONS = 48
MARKS = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "eos_token": "</s>"}
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
BOTH = {"single": "<s> $A </s>", "pair": "<s> $A </s> $B:1 </s>:1"}
ENDS = {"single": "$A </s>", "pair": "$A </s> $B </s>"}
BEGINS = {"single": "<s> $A", "pair": "<s> $A <s> $B"}
CORPUS = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))] + ["what does the dog see"] * 3


def trained(model: Any, trainer: Any, pre: Any, template: dict[str, str] | None, normalizer: Any = None) -> Any:
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.train_from_iterator(CORPUS, trainer)
    if template is not None:
        marks = [(mark, backend.token_to_id(mark)) for mark in ("<s>", "</s>")]
        backend.post_processor = processors.TemplateProcessing(**template, special_tokens=marks)
    return backend


def word_pieces() -> Any:
    trainer = trainers.WordPieceTrainer(vocab_size=60, special_tokens=SPECIAL, show_progress=False)
    pre, normalizer = pre_tokenizers.BertPreTokenizer(), normalizers.BertNormalizer()
    return trained(models.WordPiece(unk_token="<unk>"), trainer, pre, BOTH, normalizer)


def byte_level(template: dict[str, str] | None) -> Any:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend = trained(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=False), template)
    backend.decoder = decoders.ByteLevel()
    if template is None:
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
    return backend


def sentence_pieces(template: dict[str, str]) -> Any:
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    return trained(models.Unigram(), trainer, pre_tokenizers.Metaspace(), template, normalizers.NFKC())


def llama_pieces() -> Any:
    trainer = trainers.BpeTrainer(vocab_size=80, special_tokens=SPECIAL, show_progress=False)
    spaces = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    pre = pre_tokenizers.Split("▁", "merged_with_next")
    return trained(models.BPE(unk_token="<unk>", fuse_unk=True), trainer, pre, BEGINS, spaces)


SIZES = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 20, "num_hidden_layers": 2}
PLACES = {"max_position_embeddings": POSITIONS}
DEBERTA = {"relative_attention": True, "position_buckets": 4, "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm"}
BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20,
}  # fmt: skip
FAMILIES: dict[str, tuple[Callable[..., Any], dict[str, Any], Callable[[], Any]]] = {
    "bert": (transformers.BertConfig, SIZES | PLACES, word_pieces),
    "roberta": (transformers.RobertaConfig, SIZES | {"max_position_embeddings": 64}, lambda: byte_level(BOTH)),
    "albert": (transformers.AlbertConfig, SIZES | PLACES | {"embedding_size": 8}, lambda: sentence_pieces(BOTH)),
    "distilbert": (
        transformers.DistilBertConfig, {"dim": 16, "n_heads": 2, "hidden_dim": 20, "n_layers": 2} | PLACES, word_pieces,
    ),
    "electra": (transformers.ElectraConfig, SIZES | PLACES | {"embedding_size": 8}, word_pieces),
    "deberta-v2": (transformers.DebertaV2Config, SIZES | PLACES | DEBERTA, lambda: sentence_pieces(BOTH)),
    "mpnet": (transformers.MPNetConfig, SIZES | {"max_position_embeddings": 64}, word_pieces),
    "gpt2": (
        transformers.GPT2Config,
        {"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": POSITIONS, "bos_token_id": 3, "eos_token_id": 3},
        lambda: byte_level(None),
    ),
    "llama": (transformers.LlamaConfig, SIZES | PLACES | {"num_key_value_heads": 1}, llama_pieces),
    "t5": (
        transformers.T5Config, {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 20},
        lambda: sentence_pieces(ENDS),
    ),
    "bart": (transformers.BartConfig, BART | PLACES, lambda: byte_level(BOTH)),
}  # fmt: skip


@pytest.fixture(scope="session")
def family_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], HFBackbone]:
    """Saves a family's tiny model and tokenizer once, and returns the backbone of the folder."""
    made: dict[str, HFBackbone] = {}

    def make(family: str) -> HFBackbone:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            kind, settings, tokenizer = FAMILIES[family]
            backend = tokenizer()
            library = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **MARKS)
            config = kind(**settings, vocab_size=len(library), pad_token_id=0)
            with torch.random.fork_rng(devices=[]), quiet():
                torch.manual_seed(5)
                model = transformers.AutoModel.from_config(config)
                for parameter in model.parameters():
                    # the usual initial weights are so small that little could be told apart
                    parameter.data.add_(0.05 * torch.randn_like(parameter))
                model.save_pretrained(folder)
                library.save_pretrained(folder)
            made[family] = HFBackbone(f"tiny-{family}", str(folder), digest(folder), max_length=40)
        return made[family]

    return make


class FamilyConformance(BackboneConformance):
    """The checks on the folder of one family."""

    family: ClassVar[str]
    test_import_is_light = None  # one module for all of them, which the bundled backbones check

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _saved(cls, family_backbone: Callable[[str], HFBackbone]) -> None:
        cls.backbone = family_backbone(cls.family)


class TestBert(FamilyConformance):
    family = "bert"


class TestRoberta(FamilyConformance):
    family = "roberta"


class TestAlbert(FamilyConformance):
    family = "albert"
    shared_weights = True


class TestDistilBert(FamilyConformance):
    family = "distilbert"


class TestElectra(FamilyConformance):
    family = "electra"


class TestDebertaV2(FamilyConformance):
    family = "deberta-v2"


class TestMPNet(FamilyConformance):
    family = "mpnet"


class TestGPT2(FamilyConformance):
    family = "gpt2"


class TestLlama(FamilyConformance):
    family = "llama"


class TestT5(FamilyConformance):
    family = "t5"


class TestBart(FamilyConformance):
    family = "bart"


@pytest.mark.parametrize("task", [ToyWordsTask(12, 6, 0), ToySpanTask(12, 6, 0)], ids=["words", "span"])
@pytest.mark.parametrize("family", FAMILIES)
def test_words_and_spans_are_trained_and_answered(family, task, family_backbone: Callable[[str], HFBackbone], capfd):
    backbone = family_backbone(family)
    job = make_job(ToyFit(), backbone, task, protocol=Protocol(precision="fp32", max_steps=3))
    model = Model(job.encoder, job.head)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    predictor = train(model, job.train, job, groups_of(model, 1e-2), batch_size=4)
    answers = predictor.predict(job.validation)
    for example, answer in zip(job.validation.examples, answers.values, strict=True):
        if isinstance(task, ToyWordsTask):
            assert len(answer) == len(example.inputs[0])
        else:
            assert answer
            assert answer in example.inputs[1]
    trained_weights = [name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])]
    assert any(name.startswith("head.") for name in trained_weights)
    assert any(name.startswith("encoder.") for name in trained_weights)
    assert capfd.readouterr() == ("", ""), "the library prints"
