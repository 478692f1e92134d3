"""Zero-shot strategies on transformers' models: answers equal those of the library's own classes and pipelines."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import transformers
from tlbench_fewshot.entailment import TEMPLATES, ZeroShotEntailment
from tlbench_fewshot.name_similarity import ZeroShotSimilarity
from tlbench_fewshot.prompting import Prompting
from tlbench_hf.plugin import tlbench_resolve

from tlbench import Classes, Example, Examples, Protocol, SplitName, Task
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>",
    *"a the cat dog sat ran on mat road and then it was so very far away this example is text about animal place => N/A"
    .split(), ".",
]  # fmt: skip
NLI = ("contradiction", "entailment", "neutral")
PROTOCOL = Protocol(precision="fp32")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20}
TEXTS = ("the cat sat on the mat", "the dog ran and ran", "it was so very far away", "then the road was far")


@dataclasses.dataclass(frozen=True)
class Subjects(Task):
    """What a sentence is about: an animal or a place."""

    name = "subjects"
    modality = "text"
    output = Classes(("animal", "place"))
    metrics = ("accuracy",)

    def split(self, name: SplitName) -> Examples | None:
        if name == "unlabeled":
            return None
        return Examples(Example(f"{name}-{i}", (f"{text} {name}",), i // 2) for i, text in enumerate(TEXTS))


def save(folder, model, **tokens):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if "sep_token" in tokens:
        # Separates the full stop of a hypothesis from its last word.
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", **tokens
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def nli_folder(tmp_path_factory):
    torch.manual_seed(5)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), max_position_embeddings=40, **SIZES,
        id2label=dict(enumerate(NLI)), label2id={name: i for i, name in enumerate(NLI)},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("nli")
    return save(folder, transformers.BertForSequenceClassification(config), cls_token="[CLS]", sep_token="[SEP]")


@pytest.fixture(scope="module")
def decoder_folder(tmp_path_factory):
    torch.manual_seed(5)
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=4, eos_token_id=4
    )
    return save(tmp_path_factory.mktemp("gpt2"), transformers.GPT2LMHeadModel(config), eos_token="</s>")


def test_entailment_answers_as_the_pipeline_of_the_library(nli_folder):
    backbone = tlbench_resolve("backbone", f"hf:{nli_folder}")
    assert backbone.card().classes == NLI
    job = make_job(ZeroShotEntailment(), backbone, Subjects(), {"template": TEMPLATES[1]}, PROTOCOL)
    found = ZeroShotEntailment().fit(job).predict(job.validation)
    pipeline = transformers.pipeline("zero-shot-classification", str(nli_folder), device="cpu")
    for example, scores in zip(job.validation.examples, found.scores, strict=True):
        # The template of the pipeline has the same placeholder.
        answer = pipeline(example.inputs[0], ["animal", "place"], hypothesis_template=TEMPLATES[1])
        expected = dict(zip(answer["labels"], answer["scores"], strict=True))
        np.testing.assert_allclose(scores, [expected["animal"], expected["place"]], atol=1e-5)
    assert len({*np.round(found.scores[:, 0], 4)}) > 1


def test_the_classifier_uses_the_weights_of_the_encoder(nli_folder):
    backbone = tlbench_resolve("backbone", f"hf:{nli_folder}")
    encoder = backbone.load()
    classifier = backbone.classifier(encoder)
    batch = backbone.featurize(Subjects().split("train"), Classes(("a", "b"))).batch(range(4))
    before = classifier.logits(batch)
    with torch.no_grad():
        next(encoder.native.parameters()).add_(torch.randn(16))
    assert not torch.allclose(before, classifier.logits(batch))
    assert sum(parameter.numel() for parameter in encoder.parameters()) == backbone.card().parameters


@pytest.mark.parametrize(
    ("changes", "has"),
    [
        ({"architectures": ["BertModel"]}, "none"),
        ({"id2label": {"0": "bad", "1": "good"}}, "one of bad, good"),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, "none"),
        ({}, None),
    ],
)
def test_what_a_checkpoint_s_classifier_must_be(nli_folder, tmp_path, rewrite, changes, has):
    folder = shutil.copytree(nli_folder, tmp_path / "changed")
    rewrite(folder, **changes)
    backbone = tlbench_resolve("backbone", f"hf:{folder}")
    reason = has and f"zero-shot-nli asks a classifier of entailment, and the checkpoint has {has}"
    assert ZeroShotEntailment().supports(backbone, Subjects()) == reason
    assert ZeroShotSimilarity().supports(backbone, Subjects()) is None


def test_fewer_blocks_leave_no_classifier(nli_folder):
    backbone = dataclasses.replace(tlbench_resolve("backbone", f"hf:{nli_folder}"), depth=1)
    assert backbone.card().classes == ()
    assert backbone.classifier(backbone.load()) is None


def test_prompting_compares_the_library_s_likelihoods(decoder_folder):
    backbone = tlbench_resolve("backbone", f"hf:{decoder_folder}")
    job = make_job(Prompting(shots=2), backbone, Subjects(), {"calibration": "contextual", "space": True}, PROTOCOL)
    predictor = Prompting(shots=2).fit(job)
    found = predictor.predict(job.validation)
    native = transformers.GPT2LMHeadModel.from_pretrained(decoder_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(decoder_folder)
    shown = "".join(f"{text}\n=> {label}\n\n" for text, label in predictor.settings["demonstrations"])
    assert {label for _, label in predictor.settings["demonstrations"]} == {"animal", "place"}

    def likelihood(text, label):
        prompt = tokenizer(f"{shown}{text}\n=>")["input_ids"]
        target = [*tokenizer(f" {label}", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logits = native(torch.tensor([prompt + target])).logits[0, len(prompt) - 1 : -1]
        return float(logits.log_softmax(-1)[torch.arange(len(target)), target].sum())

    for example, scores in zip(job.validation.examples, found.scores, strict=True):
        own = [likelihood(example.inputs[0], one) - likelihood("N/A", one) for one in ("animal", "place")]
        np.testing.assert_allclose(scores, torch.tensor(own).softmax(0), atol=1e-5)


def test_demonstrations_that_do_not_fit_are_left_out(decoder_folder):
    backbone = dataclasses.replace(tlbench_resolve("backbone", f"hf:{decoder_folder}"), max_length=26)
    strategy = Prompting(shots=4)
    job = make_job(strategy, backbone, Subjects(), {"calibration": "none", "space": True}, PROTOCOL)
    predictor = strategy.fit(job)
    short, long = Example("short", ("the cat",)), Example("long", ("the cat " * 10,))
    counts = predictor.logits.fitting(Examples([short, long]))
    # Each demonstration has 5 to 7 words and two signs, and the prompt ends with "=>".
    assert counts.tolist() == [2, 0]


def test_a_model_that_writes_no_text_is_not_prompted(nli_folder):
    reason = Prompting().supports(tlbench_resolve("backbone", f"hf:{nli_folder}"), Subjects())
    assert reason is not None
    assert "has no decoder to generate text with" in reason


class Conformance(StrategyConformance):
    tasks = (Subjects(),)
    protocol = PROTOCOL


class TestPromptingConformance(Conformance):
    strategy = Prompting(shots=2)
    draws = 2

    @pytest.fixture(autouse=True)
    def folder(self, decoder_folder, monkeypatch):
        monkeypatch.setattr(type(self), "backbone", tlbench_resolve("backbone", f"hf:{decoder_folder}"))


class TestEntailmentConformance(Conformance):
    strategy = ZeroShotEntailment()
    draws = 2

    @pytest.fixture(autouse=True)
    def folder(self, nli_folder, monkeypatch):
        monkeypatch.setattr(type(self), "backbone", tlbench_resolve("backbone", f"hf:{nli_folder}"))
