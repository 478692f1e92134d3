"""Text generation without a hub: rows and prompts, training, and the bundled backbones."""

from __future__ import annotations

import dataclasses
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from tlbench_hf.backbone import HFBackbone
from tlbench_hf.plugin import tlbench_backbones

from tlbench import Example, Examples, PluginError, Protocol, Task, Text, UsageError
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import count_parameters
from tlbench.testing.conformance import BackboneConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyFit
from tlbench.training import Model, ModelPredictor, groups_of, train

BACKBONES = {backbone.name: backbone for backbone in tlbench_backbones()}
OUTPUT = Text(6)
ROOTS = [Path(root) for root in os.environ.get("TLBENCH_DATA", "").split(os.pathsep) if root]
DATA = ROOTS[0] if ROOTS else Path(__file__).parents[4] / "shared" / "data"
needs_stories = pytest.mark.skipif(
    not (DATA / "weights" / "stories260k_llama").is_dir(), reason="stories260k_llama is not below TLBENCH_DATA"
)
needs_captions = pytest.mark.skipif(not (DATA / "multi30k").is_dir(), reason="multi30k is not below TLBENCH_DATA")


@pytest.fixture(autouse=True, scope="module")
def _data_root():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_DATA", str(DATA))
        yield


@dataclasses.dataclass(frozen=True)
class Echo(Task):
    """Write the last word of a sentence."""

    name = "echo"
    modality = "text"
    output = OUTPUT
    metrics = ("rouge1",)

    def split(self, name) -> Examples | None:
        if name == "unlabeled":
            return None
        words = ("cat", "dog", "tree", "river")
        count = {"train": 16, "validation": 6, "test": 4}[name]
        return Examples(
            Example(f"{name}-{i}", (f"the old {words[i % 3]} sees a {words[i % 4]}",), (words[i % 4],))
            for i in range(count)
        )


def a_tiny_t5() -> HFBackbone:
    return BACKBONES["t5-tiny"]


def stories(**changes) -> HFBackbone:
    return dataclasses.replace(BACKBONES["stories260k"], **changes)


def single(text: str, target: tuple[str, ...] | None = ("so",)) -> Examples:
    return Examples([Example("0", (text,), target)])


def read_back(backbone: HFBackbone, ids: np.ndarray) -> str:
    from tlbench_hf.sources import fetched_folder
    from tlbench_hf.text.tokenizing import load_tokenizer

    library = load_tokenizer(fetched_folder(backbone.source, backbone.revision)).library
    text: str = library.decode(ids.tolist(), skip_special_tokens=True)
    return text.strip()


class TestT5Tiny(BackboneConformance):
    backbone = BACKBONES["t5-tiny"]


@needs_stories
class TestStories(BackboneConformance):
    backbone: ClassVar[HFBackbone] = BACKBONES["stories260k"]


def test_a_row_is_a_source_and_the_first_accepted_text():
    backbone = dataclasses.replace(a_tiny_t5(), prefix="translate:")
    data = backbone.featurize(single("ein Hund", ("a dog", "some dog")), OUTPUT)
    (row,) = data.rows
    assert read_back(backbone, row.ids) == "translate: ein Hund"
    assert read_back(backbone, row.target) == "a dog"
    assert row.ids[-1] == row.target[-1] == 1
    assert data.lengths.tolist() == [len(row.ids) + len(row.target)]
    assert backbone.head(OUTPUT, backbone.load()).asked(data).lengths.tolist() == [len(row.ids)]
    plain = a_tiny_t5().featurize(single("ein Hund", ("a dog", "some dog")), OUTPUT)
    assert plain.fingerprint != data.fingerprint


def test_texts_are_cut_and_still_end():
    backbone = dataclasses.replace(a_tiny_t5(), max_length=5)
    data = backbone.featurize(single("one two three " * 9, ("four five six " * 9,)), Text(4))
    (row,) = data.rows
    assert data.truncated.tolist() == [True]
    assert backbone.featurize(single("a", ("four five six " * 9,)), Text(4)).truncated.tolist() == [False]
    assert (len(row.ids), len(row.target)) == (5, 4)
    assert row.ids[-1] == row.target[-1] == 1


def test_every_character_is_known_to_the_tokenizer():
    backbone = a_tiny_t5()
    texts = ("Zwei Mädchen grüßen.", "naïve café, 5 € (日本)")
    for text in texts:
        (row,) = backbone.featurize(single(text), OUTPUT).rows
        assert read_back(backbone, row.ids) == text


@needs_stories
def test_a_prompt_that_is_too_long_loses_the_end_of_its_source_alone():
    backbone = stories(prompt="Say it again: {source}\nShort:", max_length=40)
    source = "Once upon a time there was a little girl. " * 6
    data = backbone.featurize(single(source), OUTPUT)
    (row,) = data.rows
    assert data.truncated.tolist() == [True]
    prompt = read_back(backbone, row.ids)
    assert 36 <= len(row.ids) <= 40
    assert prompt.startswith("Say it again: Once upon a time")
    assert prompt.endswith("\nShort:")
    kept = prompt.removeprefix("Say it again: ").removesuffix("\nShort:")
    assert source.startswith(kept)
    with pytest.raises(UsageError, match=r"alone takes \d+ tokens; shorten it to at most 4"):
        stories(prompt="Say it again: {source}\nShort:", max_length=4).featurize(single(source), OUTPUT)
    with pytest.raises(UsageError, match="512 tokens and a prompt before it, but the model takes 512"):
        stories().featurize(single(source), Text(512))


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Example("7", ("one", "two"), ("x",)), "example 7: its inputs must be one text"),
        (Example("8", ("one",), 3), "example 8: its target must be a non-empty tuple"),
        (Example("9", ("one",), ()), "example 9: its target must be a non-empty tuple"),
    ],
)
def test_other_examples_are_refused_by_name(example, message):
    with pytest.raises(PluginError, match=message):
        a_tiny_t5().featurize(Examples([example]), OUTPUT)


def test_parameters_that_cannot_be_are_the_user_s_mistake():
    with pytest.raises(UsageError, match=r"must contain \{source\} exactly once"):
        dataclasses.replace(a_tiny_t5(), prompt="no place for it")
    with pytest.raises(UsageError, match="beams is 0"):
        dataclasses.replace(a_tiny_t5(), beams=0)


def test_weights_that_are_not_there_are_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    backbone = stories()
    assert not backbone.card().on_disk
    assert "set TLBENCH_DATA to a folder that holds weights/stories260k_llama/" in backbone.supports(OUTPUT)
    with pytest.raises(UsageError, match="set TLBENCH_DATA to a folder"):
        backbone.load()
    other = tmp_path / "weights" / "stories260k_llama"
    other.mkdir(parents=True)
    (other / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UsageError, match=f"not {backbone.revision}: name it hf:"):
        backbone.load()


def test_unlabelled_texts_cannot_be_trained_on():
    backbone = a_tiny_t5()
    data = backbone.featurize(single("one", None), OUTPUT)
    with pytest.raises(ValueError, match="unlabelled"):
        backbone.head(OUTPUT, backbone.load()).targets(data)


def fitted(
    backbone: HFBackbone, top: int | None, seed: int = 0, steps: int = 3
) -> tuple[ModelPredictor, set[str], Data]:
    """Trains the top stages (all if None) with the loop; returns what predicts, what was moved, and other data."""
    job = make_job(ToyFit(), backbone, Echo(), protocol=Protocol(precision="fp32", max_steps=steps), seed=seed)
    model = Model(job.encoder, job.head, start=0 if top is None else len(job.encoder.stages) - top)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    predictor = train(model, job.train, job, groups_of(model, 1e-3), batch_size=4)
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    return predictor, moved, job.validation


@pytest.mark.parametrize("top", [None, 2, 0])
@pytest.mark.parametrize("make", [a_tiny_t5, pytest.param(stories, marks=needs_stories)])
def test_the_loop_trains_what_is_not_frozen(make: Callable[[], HFBackbone], top, capfd):
    backbone = make()
    if backbone.name == "stories260k" and top == 0:
        # its output layer is tied to its words, which are the encoder's
        with pytest.raises(PluginError, match="nothing is left to train"):
            fitted(backbone, top)
        return
    predictor, moved, data = fitted(backbone, top)
    model, answers = predictor.model, predictor.predict(data).values.tolist()
    frozen = {f"encoder.native.{name}" for name, _ in model.encoder.stage_parameters(0, model.start)}
    assert not moved & frozen
    assert moved
    assert all(isinstance(answer, str) for answer in answers)
    garbage = (dataclasses.replace(example, target=("so so so " * (1 + i),)) for i, example in enumerate(data.examples))
    assert predictor.predict(backbone.featurize(Examples(garbage), OUTPUT)).values.tolist() == answers
    if backbone.name == "t5-tiny":
        assert {name for name, _ in model.named_parameters() if name.startswith("head.")} <= moved
        embeddings = "encoder.native.shared.weight"
        assert (embeddings in moved) == (top is None)
    trainable = sum(p.numel() for name, p in model.named_parameters() if name not in frozen)
    assert count_parameters(model, trainable=True) == trainable
    assert capfd.readouterr() == ("", ""), "the library prints"


@pytest.mark.parametrize("make", [a_tiny_t5, pytest.param(stories, marks=needs_stories)])
def test_the_card_says_how_large_encoder_and_decoder_are(make: Callable[[], HFBackbone]):
    backbone = make()
    encoder, card = backbone.load(), backbone.card()
    assert card.parameters == count_parameters(encoder)
    assert card.decoder_parameters == count_parameters(backbone.head(OUTPUT, encoder))


def test_the_same_seed_gives_the_same_weights():
    first, again, other = (fitted(a_tiny_t5(), 1, seed, 2)[0].model.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_what_stands_for_pretrained_weights_is_drawn_alike_for_every_fit(monkeypatch):
    backbone = a_tiny_t5()
    with monkeypatch.context() as patched:
        patched.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("the GPUs' generators were seeded"))
        encoder = backbone.load()
    torch.manual_seed(3)
    first, again = (list(backbone.head(OUTPUT, encoder).parameters()) for _ in range(2))
    assert torch.equal(torch.rand(2), torch.manual_seed(3) and torch.rand(2)), "the caller's generator was moved"
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not {p.data_ptr() for p in first} & {p.data_ptr() for p in again}
    other = dataclasses.replace(backbone, weights_seed=1)
    drawn = list(other.head(OUTPUT, other.load()).parameters())
    assert any(not torch.equal(a, b) for a, b in zip(first, drawn, strict=True))
    assert encoder.identity != other.load().identity


def test_a_probe_says_that_it_cannot_write():
    strategies = pytest.importorskip("tlbench_finetune.plugin").tlbench_strategies()
    reasons = {strategy.name: strategy.supports(a_tiny_t5(), Echo()) for strategy in strategies}
    assert "Text needs more" in reasons["linear-probe"]
    assert reasons["full-finetune"] is reasons["partial-finetune"] is None


def test_a_sentence_is_learnt_and_written():
    """A memory of four pairs: teacher forcing, shifting, ends and decoding must all agree for it."""
    pairs = [("ein Hund", "a dog runs"), ("zwei Frauen", "two women"), ("ein Mann", "a man"), ("Kinder", "children")]
    examples = Examples(Example(str(i), (source,), (target,)) for i, (source, target) in enumerate(pairs))
    backbone = a_tiny_t5()
    encoder = backbone.load()
    head = backbone.head(OUTPUT, encoder)
    model = Model(encoder, head).eval()
    data = backbone.featurize(examples, OUTPUT)
    batch, targets = data.batch(range(4)), head.targets(data)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        loss = head.loss(model(batch), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < 0.02:
            break
    with torch.no_grad():
        written = head.decode(encoder, head.asked(data).batch(range(4))).values
    assert losses[0] > 6
    assert written == [target for _, target in pairs]


@needs_captions
def test_captions_fit_the_rows_that_a_suite_gives_them():
    sides = []
    for language in ("en", "de"):
        with gzip.open(DATA / "multi30k" / f"train.{language}.gz", "rt", encoding="utf-8") as file:
            sides.append([next(file).strip() for _ in range(300)])
    pairs = list(zip(*sides, strict=True))
    examples = Examples(Example(str(i), (en,), (de,)) for i, (en, de) in enumerate(pairs))
    backbone = a_tiny_t5()
    data = backbone.featurize(examples, Text(64))
    cut = sum(read_back(backbone, row.target) != de for row, (_, de) in zip(data.rows, pairs, strict=True))
    assert cut <= 3
    assert np.mean([len(row.ids) for row in data.rows]) < 30
    assert np.mean([len(row.target) for row in data.rows]) < 30
    again = backbone.featurize(examples, Text(64))
    assert all(np.array_equal(a.target, b.target) for a, b in zip(data.rows, again.rows, strict=True))


@needs_stories
def test_a_small_decoder_goes_on_with_a_story():
    backbone = stories(prompt="{source}")
    encoder = backbone.load()
    output = Text(24)
    head = backbone.head(output, encoder)
    examples = Examples(
        Example(str(i), (text,)) for i, text in enumerate(("Once upon a time, there was a", "One day, a little"))
    )
    with torch.no_grad():
        written = head.decode(encoder, backbone.featurize(examples, output).batch(range(2))).values
    words = {word.strip(".,").lower() for text in written for word in text.split()}
    assert len(words & {"a", "and", "was", "the", "she", "he", "to", "girl", "boy", "named", "little", "play"}) >= 4
