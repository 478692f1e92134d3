"""Fitted models are folders that transformers and peft load by their own calls, and predict as tlbench does."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tlbench_finetune.plugin import tlbench_strategies as finetuning_strategies
from tlbench_hf.plugin import tlbench_resolve
from tlbench_peft.plugin import tlbench_strategies as peft_strategies

from tlbench import (
    Answer,
    Classes,
    Example,
    Examples,
    MultiLabel,
    Output,
    Protocol,
    Scalar,
    Span,
    Task,
    Text,
    TokenClasses,
    UsageError,
)
from tlbench.running.exporting.exported_check import predictions_without_tlbench
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal

STRATEGIES = {strategy.name: strategy for strategy in [*finetuning_strategies(), *peft_strategies()]}
WORDS = "a the cat dog sat ran on mat road and then it was so very far".split()
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
TEXT = {**SIZES, "vocab_size": 40, "max_position_embeddings": 40}


@dataclass(frozen=True)
class Sentences(Task):
    """Random sentences, some of them longer than a row, with a target of any kind."""

    output: Output
    metrics: tuple[str, ...]
    pairs: bool = False
    name: str = "sentences"
    modality: str = field(default="text", init=False)

    def split(self, name):
        if name == "unlabeled":
            return None
        draws = np.random.default_rng(len(name))
        return Examples(self._example(draws, f"{name}-{i}", i) for i in range(12))

    def _example(self, draws, name, i):
        words = tuple(WORDS[place] for place in draws.integers(0, len(WORDS), 3 + 3 * i))
        text = " ".join(words)
        if isinstance(self.output, TokenClasses):
            return Example(name, (words,), tuple(int(word in ("cat", "dog")) for word in words))
        if isinstance(self.output, Span):
            return Example(
                name, ("the dog ran", text), (Answer(words[2], len(" ".join(words[:2])) + 1),) if i % 3 else ()
            )
        targets = {"classes": i % 2, "multi-label": (i % 2, 1 - i // 6), "scalar": 40.0 + i, "text": ("the cat",)}
        inputs = (text, "it was far") if self.pairs else (text,)
        return Example(name, inputs, targets[self.output.kind])


@dataclass(frozen=True)
class Pictures(Task):
    name = "pictures"
    modality = "image"
    metrics = ("accuracy",)
    output = Classes(("dark", "bright"))

    def split(self, name):
        from PIL import Image

        draws = np.random.default_rng(len(name))
        pixels = [draws.integers(0, 128 + 127 * (i % 2), (16, 20, 3), np.uint8) for i in range(8)]
        return Examples(Example(f"{name}-{i}", (Image.fromarray(one),), i % 2) for i, one in enumerate(pixels))


def save_tokenizer(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", eos_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)  # fmt: skip


def backbone(model, folder):
    with torch.no_grad():
        # Random weights are so small that a generated text would be the same for all rows.
        for weight in model.parameters():
            weight.mul_(4)
    model.save_pretrained(folder)
    if model.config.model_type == "vit":
        transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
        return tlbench_resolve("backbone", f"hf:{folder}")
    save_tokenizer(folder)
    return replace(tlbench_resolve("backbone", f"hf:{folder}"), max_length=16)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    root = tmp_path_factory.mktemp("backbones")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        t5 = transformers.T5Config(
            vocab_size=40, d_model=16, num_layers=2, num_heads=2, d_kv=8, d_ff=24, decoder_start_token_id=0
        )
        models = {
            "bert": transformers.BertModel(transformers.BertConfig(**TEXT)),
            "llama": transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, num_key_value_heads=1)),
            "t5": transformers.T5ForConditionalGeneration(t5),
            "vit": transformers.ViTModel(transformers.ViTConfig(**SIZES, image_size=16, patch_size=8)),
        }
        found = {name: backbone(model, root / name) for name, model in models.items()}
    return {**found, "bert-pooler": replace(found["bert"], readout="pooler")}


CLASSES = Sentences(Classes(("no", "yes")), ("accuracy",))
PAIRS = replace(CLASSES, pairs=True)
NUMBERS, LABELS = Sentences(Scalar(), ("pearson",)), Sentences(MultiLabel(("x", "y")), ("f1_micro",))
TAGS, ANSWERS = Sentences(TokenClasses(("O", "B-X")), ("entity_f1",)), Sentences(Span(), ("answer_f1",))
TEXTS = Sentences(Text(6), ("rougeL",))
CASES = {
    "pooler": ("full-finetune", "bert-pooler", CLASSES),
    "mean": ("full-finetune", "bert", CLASSES),
    "pairs": ("full-finetune", "bert-pooler", PAIRS),
    "separate": ("linear-probe[pairs=separate]", "bert", PAIRS),
    "cosine": ("cosine", "bert", PAIRS),
    "labels": ("full-finetune", "bert-pooler", LABELS),
    "number": ("full-finetune", "bert-pooler", NUMBERS),
    "probe": ("linear-probe", "bert", NUMBERS),
    "layers": ("linear-probe[layers=mix]", "bert", CLASSES),
    "mlp": ("mlp-probe", "bert", CLASSES),
    "nearest": ("knn", "bert", CLASSES),
    "tags": ("full-finetune", "bert", TAGS),
    "tags-probe": ("linear-probe", "bert", TAGS),
    "answers": ("full-finetune", "bert", ANSWERS),
    "decoder": ("full-finetune", "llama", CLASSES),
    "written": ("full-finetune", "llama", TEXTS),
    "written-lora": ("lora", "llama", TEXTS),
    "translated": ("full-finetune", "t5", TEXTS),
    "image": ("full-finetune", "vit", Pictures()),
    "image-mlp": ("mlp-probe", "vit", Pictures()),
    "merged": ("lora", "bert-pooler", CLASSES),
    "+lora": ("lora", "bert", CLASSES),
    "+prompt": ("prompt-tuning[tokens=3]", "bert", CLASSES),
    "tfidf": ("tfidf", None, PAIRS),
    "colours": ("colour-histogram", None, Pictures()),
}


def strategy(text):
    name, _, options = text.partition("[")
    values = dict(part.split("=") for part in options.rstrip("]").split(",") if part)
    return replace(STRATEGIES[name], **{key: int(value) if value.isdigit() else value for key, value in values.items()})


def fitted(name, backbones):
    how, model, task = CASES[name]
    rehearsal = Rehearsal(strategy(how), backbones.get(model), task, Protocol(max_steps=4, precision="fp32"))
    return rehearsal, rehearsal.fit_ok().predictor


@pytest.fixture(scope="module")
def folders(backbones, tmp_path_factory):
    """Every case as an exported folder."""
    root = tmp_path_factory.mktemp("exported")
    written = {}
    for name, (_, model, task) in CASES.items():
        rehearsal, predictor = fitted(name, backbones)
        written[name] = exported(
            predictor, backbones.get(model), task, rehearsal.data(), root / name, keep_adapter=name.startswith("+")
        )
    return written


@pytest.fixture(scope="module")
def without_tlbench(folders):
    """What every folder predicts in one process without tlbench."""
    found = predictions_without_tlbench([(one.folder, one.rows) for one in folders.values()])
    return dict(zip(folders, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_folder_predicts_without_tlbench_as_the_predictor_does(name, folders, without_tlbench):
    assert folders[name].problem(without_tlbench[name]) == ""


def test_the_predictions_that_were_compared_are_not_all_the_same(without_tlbench):
    for name in ("tags", "answers", "written", "translated"):
        assert len({json.dumps(one) for one in without_tlbench[name]}) > 3, name


FOLDED = {"pooler", "pairs", "labels", "number", "tags", "tags-probe", "answers", "image", "merged"}


def test_the_library_has_the_head_where_it_has_a_class_for_it(folders):
    library = {name for name, one in folders.items() if one.files.includes_head and one.files.library == "transformers"}
    assert library == {*FOLDED, "written", "written-lora", "translated"}


def test_nothing_of_this_machine_is_in_the_files(folders, backbones):
    machine = str(Path(backbones["bert"].source).parent)
    for one in folders.values():
        for path in one.folder.rglob("*.json"):
            assert machine not in path.read_text()


def test_pipelines_of_transformers_load_the_folders(folders):
    labels, images = folders["labels"], folders["image"]
    pipe = transformers.pipeline("text-classification", model=str(folders["pooler"].folder))
    rows, own = folders["pooler"].rows, folders["pooler"].own
    for answer, scores in zip(pipe([row[0] for row in rows], top_k=None, truncation=True), own.scores, strict=True):
        assert {one["label"]: one["score"] for one in answer} == pytest.approx(
            {"no": scores[0], "yes": scores[1]}, abs=1e-5
        )
    pipe = transformers.pipeline("text-classification", model=str(labels.folder))
    answers = pipe([row[0] for row in labels.rows], top_k=None, truncation=True)
    found = [[one["score"] for one in sorted(answer, key=lambda one: one["label"])] for answer in answers]
    np.testing.assert_allclose(found, labels.own.scores, atol=1e-5)
    pipe = transformers.pipeline("text-classification", model=str(folders["number"].folder))
    found = [one["score"] for one in pipe([row[0] for row in folders["number"].rows], truncation=True)]
    np.testing.assert_allclose(found, folders["number"].own.values, rtol=1e-5)
    pipe = transformers.pipeline("image-classification", model=str(images.folder))
    for answer, value in zip(pipe([row[0] for row in images.rows]), images.own.values, strict=True):
        assert answer[0]["label"] == ("dark", "bright")[value]


def test_a_readout_that_transformers_has_no_class_for_is_a_folder_of_sentence_transformers(folders):
    from safetensors.torch import load_file

    # As the library's modules compute, which are tried themselves by `make test-exports`.
    for name, layers in {"mean": 1, "mlp": 2}.items():
        one = folders[name]
        modules = json.loads((one.folder / "modules.json").read_text())
        assert [part["type"].rpartition(".")[2] for part in modules] == ["Transformer", "Pooling", *["Dense"] * layers]
        pooling = json.loads((one.folder / "1_Pooling" / "config.json").read_text())
        assert [key for key, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"]
        encoder = transformers.AutoModel.from_pretrained(one.folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(one.folder)
        batch = tokenizer([row[0] for row in one.rows], padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            x, mask = encoder(**batch).last_hidden_state, batch["attention_mask"][..., None]
            x = (x * mask).sum(1) / mask.sum(1)
            for number in range(2, 2 + layers):
                config = json.loads((one.folder / f"{number}_Dense" / "config.json").read_text())
                tensors = load_file(one.folder / f"{number}_Dense" / "model.safetensors")
                x = torch.nn.functional.linear(x, tensors["linear.weight"], tensors["linear.bias"])
                x = torch.nn.functional.gelu(x) if config["activation_function"].endswith("GELU") else x
        np.testing.assert_allclose(x.softmax(1).numpy(), one.own.scores, atol=1e-5)
    # Another head, or one on two texts, is not among the modules; a readout of all stages has none.
    assert all("embeddings = model.encode" in folders[name].files.loading for name in ("nearest", "separate"))
    assert folders["layers"].files.library == "transformers"


def test_words_of_short_sentences_have_the_tags_of_the_pipeline(folders):
    tags = folders["tags"]
    pipe = transformers.pipeline("token-classification", model=str(tags.folder), ignore_labels=[])
    for row, own in list(zip(tags.rows, tags.own.values, strict=True))[:4]:
        assert [one["entity"] for one in pipe(" ".join(row[0]))] == [("O", "B-X")[tag] for tag in own]


def test_questions_and_texts_load_by_their_auto_classes(folders):
    answers, written = folders["answers"].folder, folders["written"]
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(answers)
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    model = transformers.AutoModelForCausalLM.from_pretrained(written.folder)
    assert (model.generation_config.max_new_tokens, model.generation_config.num_beams) == (6, 1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(written.folder)
    prompt = f"{written.rows[0][0]}\n=>"
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"][:, :-1]
    text = tokenizer.decode(model.generate(ids)[0, ids.shape[1] :], skip_special_tokens=True)
    assert text.strip() == written.own.values[0]


def test_peft_loads_an_adapter_that_is_kept(folders):
    import peft

    folder = folders["+lora"].folder
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["peft_type"], config["base_model_name_or_path"]) == ("LORA", "base")
    base = transformers.AutoModel.from_pretrained(folder / "base", add_pooling_layer=False)
    plain = copy.deepcopy(base)
    adapted = peft.PeftModel.from_pretrained(base, str(folder)).eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.no_grad():
        assert not torch.allclose(adapted(ids).last_hidden_state, plain.eval()(ids).last_hidden_state, atol=1e-4)


@pytest.mark.parametrize(
    ("how", "keep", "reason"),
    [
        ("prompt-tuning[tokens=3]", False, "virtual tokens cannot be merged into the weights: add --adapter"),
        ("bottleneck-adapter", False, "the strategy put layers into BertModel that the library does not have"),
        ("full-finetune", True, "no adapter of peft in this model: leave --adapter out"),
        ("knn", True, "no adapter of peft in this model: leave --adapter out"),
    ],
)
def test_what_cannot_be_exported_says_why(how, keep, reason, backbones, tmp_path):
    rehearsal = Rehearsal(strategy(how), backbones["bert"], CLASSES, Protocol(max_steps=1, precision="fp32"))
    predictor = rehearsal.fit_ok().predictor
    with pytest.raises(UsageError, match=reason):
        exported(predictor, backbones["bert"], CLASSES, rehearsal.data(), tmp_path / "out", keep_adapter=keep)
