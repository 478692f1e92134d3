"""Language modelling before fine-tuning: its loss, what is masked, what it reads, and what is done once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tlbench_pretrain.language_heads import LanguageHead
from tlbench_pretrain.language_modelling import Tapt
from tlbench_pretrain.masking import masked
from tlbench_pretrain.pretraining import kept_aside, pretrained, unlabeled_inputs

from tlbench import Card, Example, Examples, Job, PluginError, Protocol, SplitName, Task, Text, UsageError, Vocabulary
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal, make_job
from tlbench.testing.toy_encoder import featurize
from tlbench.testing.toy_kinds import ToyWordsTask
from tlbench.testing.toys import ToyBackbone, ToyTask

PROTOCOL = Protocol(max_steps=4, precision="fp32")
SHORT = Tapt(pretrain_steps=3, head_steps=2)
TOY = ToyBackbone(blocks=1)
WORDS = Vocabulary("masked", special=(0, 1), mask=1023, ids="ids")


class OnToy(StrategyConformance):
    backbone = TOY
    protocol = PROTOCOL
    draws = 1


class TestTapt(OnToy):
    strategy = SHORT
    tasks = (ToyTask(unlabeled=16), ToyWordsTask())


class TestTaptOfTheHead(OnToy):
    strategy = dataclasses.replace(SHORT, stages=0)
    tasks = (ToyTask(),)


def job_of(strategy: Tapt, task: Task | None = None, protocol: Protocol = PROTOCOL) -> Job:
    """Returns a job with an encoder of its own, whose changes no other test sees."""
    job = make_job(strategy, TOY, task or ToyTask(), {"lr": 1e-3}, protocol)
    return dataclasses.replace(job, encoder=TOY.load())


def test_the_loss_on_texts_that_are_kept_aside_falls() -> None:
    strategy = Tapt(pretrain_steps=60, pretrain_lr=1e-2, head_steps=5)
    job = job_of(strategy, ToyTask(train=64, unlabeled=64))
    strategy.fit(job)
    assert job.notes["pretraining_rows"] == 115
    # If every word of the vocabulary were as likely as any other, the loss would be log(1024), 6.9.
    assert job.notes["lm_loss_after"] < 6 < job.notes["lm_loss_before"]


def test_fine_tuning_goes_on_from_weights_that_all_trials_of_a_seed_share() -> None:
    rehearsal = Rehearsal(SHORT, TOY, ToyTask(), PROTOCOL)
    results = [rehearsal.fit({"lr": lr}, seed).result for lr, seed in ((1e-4, 0), (1e-3, 0), (1e-3, 1))]
    assert {result.status for result in results} == {"ok"}
    first, again, other = (result.notes["lm_loss_after"] for result in results)
    assert first == again != other
    # Each trial is charged what it would need alone.
    assert results[0].setup_seconds == results[1].setup_seconds > 0
    job = dataclasses.replace(job_of(SHORT), params={"lr": 0.0})
    predictor: Any = SHORT.fit(job)
    weights = job.once("pre-training", dict).weights
    trained, fresh = predictor.model.encoder.state_dict(), TOY.load().state_dict()
    assert all(torch.equal(trained[name], tensor) for name, tensor in weights.items())
    assert not torch.equal(trained["native.blocks.0.attention.weight"], fresh["native.blocks.0.attention.weight"])


@pytest.mark.parametrize("protocol", [PROTOCOL, Protocol(max_steps=4, precision="fp32", train_limit=16)])
def test_pretraining_reads_no_label_and_neither_validation_nor_test(
    protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    split, inverted = ToyTask.split, False

    def recorded(task: ToyTask, name: SplitName) -> Examples | None:
        read.append(name)
        examples = split(task, name)
        if not inverted or examples is None:
            return examples
        return Examples(dataclasses.replace(one, target=1 - one.target) for one in examples)

    def forbidden(*arguments: object) -> None:
        raise AssertionError("the fit reads validation or raw examples")

    monkeypatch.setattr(ToyTask, "split", recorded)
    weights = []
    for _ in range(2):
        inverted = bool(weights)
        job = job_of(SHORT, protocol=protocol)
        texts = unlabeled_inputs(job)
        assert len(texts) == 64
        assert {example.target for example in texts.examples} == {None}
        job = dataclasses.replace(job, held_out=None, score=forbidden, examples=forbidden)
        SHORT.fit(job)
        weights.append(job.once("pre-training", dict).weights)
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())
    assert "test" not in read


def test_a_tenth_of_the_examples_is_kept_aside() -> None:
    data = featurize(Examples(Example(str(number), (f"word {number}",)) for number in range(40)))
    rows, aside = kept_aside(data, seed=0)
    assert (len(rows), len(aside)) == (36, 4)
    assert {*rows.ids}.isdisjoint(aside.ids)
    assert kept_aside(data, seed=1)[1].ids != aside.ids
    with pytest.raises(PluginError, match="at least 4 unlabelled examples, and there are 3"):
        kept_aside(data.take([0, 1, 2]), seed=0)


def test_of_each_row_fifteen_percent_of_the_text_are_predicted_and_at_least_one_token() -> None:
    torch.manual_seed(0)
    ids = torch.randint(2, 1000, (50, 200))
    ids[:, 0] = 1
    ids[0, 5:] = 0
    changed, predicted = masked(ids, WORDS, 1000)
    assert predicted.sum(-1).tolist() == [1, *[30] * 49]
    assert not predicted[:, 0].any()
    assert not predicted[0, 5:].any()
    assert torch.equal(changed[~predicted], ids[~predicted])
    chosen, originals = changed[predicted], ids[predicted]
    shares = [(chosen == 1023).float().mean(), (chosen == originals).float().mean()]
    # Of 1,471 tokens 80% and 10%, with standard deviations of 1.0 and 0.8 points.
    assert shares[0] == pytest.approx(0.8, abs=0.05)
    assert shares[1] == pytest.approx(0.1, abs=0.04)


def test_a_row_without_text_is_not_predicted() -> None:
    ids = torch.tensor([[1, 0, 0], [1, 7, 0]])
    _, predicted = masked(ids, WORDS, 1000)
    assert predicted.tolist() == [[False, False, False], [False, True, False]]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tiny GPT-2 with its output layer, and the folder that it is saved in."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("gpt2")
    words = {word: number for number, word in enumerate(["[END]", *"the cat dog sat ran on mat road far".split()])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[END]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="[END]").save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.GPT2Config(vocab_size=12, n_embd=16, n_layer=2, n_head=2, n_positions=12)
    whole = transformers.GPT2LMHeadModel(config).eval()
    whole.save_pretrained(folder)
    return whole, folder


def test_a_decoder_predicts_the_next_token_with_its_own_output_layer(gpt2: tuple[Any, Path]) -> None:
    from tlbench_hf.plugin import tlbench_resolve

    whole, folder = gpt2
    backbone: Any = tlbench_resolve("backbone", f"hf:{folder}")
    vocabulary = backbone.card().vocabulary
    assert vocabulary == Vocabulary("causal", special=(0,), size=12)
    encoder, output = backbone.load(), ToyTask.output
    texts = ("the cat sat on the mat", "the dog ran", "far")
    data = backbone.featurize(Examples(Example(text, (text,)) for text in texts), output)
    batch = data.batch(range(3))
    head = LanguageHead(encoder, vocabulary)
    (losses,) = head.losses(encoder, batch, torch.zeros(3))
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    assert len(losses) == 5 + 2
    assert torch.allclose(losses.mean(), whole(**batch, labels=labels).loss, rtol=1e-4)
    strategy = Tapt(pretrain_steps=30, pretrain_lr=1e-2, pretrain_batch_size=2, head_steps=5)

    @dataclasses.dataclass(frozen=True)
    class Cats(ToyTask):
        @staticmethod
        def _sentence(draw: Any, index: int) -> tuple[tuple[Any, ...], Any, str]:
            animal = "cat" if index % 2 else "dog"
            places = " ".join(draw.choice(["mat", "road"]) for _ in range(6))
            return (f"the {animal} sat on {places}",), index % 2, "plain"

    job = make_job(strategy, backbone, Cats(train=16, validation=4), {"lr": 1e-3}, PROTOCOL)
    strategy.fit(job)
    assert job.notes["lm_loss_after"] < job.notes["lm_loss_before"] - 0.5


@dataclasses.dataclass(frozen=True)
class OfCard(ToyBackbone):
    """A toy with another card."""

    stages_above: int = 1
    known: bool = True
    here: bool = True

    def card(self) -> Card:
        return Card(stages=self.stages_above, vocabulary=WORDS if self.known else None, on_disk=self.here)


class Writing(ToyTask):
    output = Text()


class Pictures(ToyTask):
    modality = "image"


@pytest.mark.parametrize(
    ("backbone", "task", "reason"),
    [
        (OfCard(), ToyTask(), None),
        (OfCard(known=False), ToyTask(), "masked or next tokens"),
        (OfCard(known=False, here=False), ToyTask(), None),
        (OfCard(stages_above=0), ToyTask(), "bare embeddings"),
        (OfCard(), Writing(), "written by a decoder"),
        (OfCard(), Pictures(), "trains on texts"),
    ],
)
def test_what_is_not_supported_is_said(backbone: ToyBackbone, task: Task, reason: str | None) -> None:
    found = Tapt().supports(backbone, task)
    assert found is None if reason is None else reason in (found or "")


def test_impossible_options_are_refused() -> None:
    for options in ({"pretrain_steps": 0}, {"pretrain_batch_size": 1}, {"pretrain_lr": 0.0}):
        with pytest.raises(UsageError, match="tapt"):
            Tapt(**options)


def test_all_of_the_backbone_is_trained_whatever_the_second_phase_trains() -> None:
    card = Card(family="bert", parameters=22_000_000, width=384, stages=6, vocabulary=WORDS)
    backbone = type("Sized", (ToyBackbone,), {"card": lambda self: card})()
    assert Tapt(stages=0).trainable(backbone) == Tapt().trainable(backbone)
    assert Tapt(stages=0).resources(backbone, ToyTask()) == Tapt(train_batch_size=32).resources(backbone, ToyTask())
    assert Tapt().resources(backbone, ToyTask()) != Tapt(pretrain_batch_size=8).resources(backbone, ToyTask())


def test_the_probabilities_of_the_vocabulary_are_in_the_estimate() -> None:
    def memory(size: int | None, **vocabulary: Any) -> int:
        words = dataclasses.replace(WORDS, size=size, **vocabulary)
        card = Card(family="bert", parameters=22_000_000, width=384, stages=6, positions=128, vocabulary=words)
        backbone = type("Sized", (ToyBackbone,), {"card": lambda self: card})()
        return Tapt(pretrain_batch_size=32).resources(backbone, ToyTask()).memory_bytes or 0

    # Three fp32 numbers for each of 15% of 32 rows of 128 tokens, and of all of them.
    assert memory(30_000) - memory(None) == 3 * 4 * 614 * 30_000
    assert memory(30_000, objective="causal") - memory(None) == 3 * 4 * 4096 * 30_000


def test_the_new_output_layer_is_trained_alone_before_the_backbone() -> None:
    job = job_of(SHORT)
    head, before = SHORT.pretraining_head(job), {name: one.clone() for name, one in job.encoder.state_dict().items()}
    layer = head.transform[0].weight.detach().clone()
    warmed = pretrained(head, job.train, job, steps=1, lr=0.0, batch_size=8, head_steps=3)
    assert all(torch.equal(warmed.weights[name], one) for name, one in before.items())
    assert not torch.equal(head.transform[0].weight, layer)
    assert all(weight.requires_grad for weight in job.encoder.parameters())
    assert SHORT.warming_steps(job) == SHORT.head_steps > 0
    decoder = Card(stages=1, vocabulary=dataclasses.replace(WORDS, objective="causal", mask=None))
    assert SHORT.warming_steps(dataclasses.replace(job, card=lambda: decoder)) == 0
    with pytest.raises(UsageError, match="head_steps=-1"):
        Tapt(head_steps=-1)
