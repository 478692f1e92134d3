"""A toy backbone, tasks and strategies for tests of whole runs in milliseconds. Imports no torch."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from tlbench.contracts.backbone import Backbone, Card, Vocabulary
from tlbench.contracts.errors import Diverged
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.outputs import Classes, Output, Scalar
from tlbench.contracts.space import Float, Int, Space
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Example, Examples, SplitName, Task, UnlabeledLike
from tlbench.testing.toy_predictors import ToyConstant, ToyPredictor

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.testing.toy_encoder import ToyEncoder

CUES = {
    0: ("awful", "dull", "bleak", "clumsy", "stale", "tedious"),
    1: ("lovely", "bright", "clever", "moving", "fresh", "graceful"),
}
OPENINGS = ("the", "a", "this", "that", "each", "our", "her", "his", "their", "my")
SUBJECTS = ("film", "song", "book", "play", "dance", "story", "painting", "poem", "garden", "meal", "lamp", "chair")
ENDINGS = ("today", "tonight", "again", "indeed", "overall", "still", "here", "there", "somehow", "really")
MASK = 1023
"""Id of the toy backbone's mask token: that of a word which no toy sentence has."""
GIVE_UP = 2000
"""Number of consecutive sentences that are not new or not in the split, after which generation fails."""
Sentence: TypeAlias = Callable[[random.Random, int], tuple[tuple[Any, ...], Any, str]]
"""Returns the inputs, the target and the slice of an example, given a generator and the example's index."""
SPLITS: tuple[SplitName, ...] = ("train", "validation", "unlabeled", "test")


@dataclass(frozen=True)
class ToyBackbone(Backbone):
    """A transformer of three small blocks over hashed words; its "pretrained" weights are random, with a fixed seed."""

    name = "toy"
    modality = "text"

    width: int = 16
    blocks: int = 3
    weights: int = 7
    """The seed of the pretrained weights."""
    readout: Literal["mean", "first"] = "mean"

    def card(self) -> Card:
        """Returns the toy's metadata."""
        vocabulary = Vocabulary("masked", special=(0, 1), mask=MASK, ids="ids")
        return Card(
            family="toy", width=self.width, stages=self.blocks, licence="Apache-2.0", source="generated",
            vocabulary=vocabulary,
        )  # fmt: skip

    def load(self, *, pretrained: bool = True) -> ToyEncoder:
        """Returns the encoder, with weights from torch's global generator if not `pretrained`."""
        from tlbench.testing.toy_encoder import build

        return build(self.width, self.blocks, self.readout, self.weights if pretrained else None)

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes the weights as safetensors, with a script of NumPy."""
        from tlbench.testing.exports.toy_export import export_toy

        return export_toy(model, output, folder, self.name)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns each example as one row of hashed words, cut off after 64 tokens."""
        from tlbench.testing.toy_encoder import featurize

        return featurize(examples, output)


@dataclass(frozen=True)
class ToyTask(Task):
    """Binary classification: is the sentence friendly? One cue word decides, and "not" inverts it.

    A checksum of each text decides its split, so splits of any size never overlap.
    """

    name = "toy-tone"
    modality = "text"
    output = Classes(("unfriendly", "friendly"))
    metrics = ("accuracy", "f1")
    slices = ("kind",)
    description = "a cue word decides whether a sentence is friendly; a quarter is negated"

    train: int = 64
    validation: int = 32
    test: int = 32
    unlabeled: int = 0
    """Number of unlabelled examples; 0 for no such split."""
    draw: int = 0
    """The seed of the sentences."""

    @property
    def unlabeled_like(self) -> UnlabeledLike:  # type: ignore[override]
        """What the unlabelled sentences are drawn like, if there are any: the training sentences."""
        return "train" if self.unlabeled else "none"

    def split(self, name: SplitName) -> Examples | None:
        """Returns generated sentences with balanced labels, as many as the field of the split's name says."""
        count: int = getattr(self, name)
        if not count:
            return None
        examples = Examples(generate(self._sentence, name, count, self.draw))
        return examples.without_targets() if name == "unlabeled" else examples

    @staticmethod
    def _sentence(draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        # Of each eight sentences, two are negated, one of each label.
        target = index % 2
        negated = index % 8 < 2
        cue = draw.choice(CUES[target ^ negated])
        words = [draw.choice(OPENINGS), draw.choice(SUBJECTS), "is", *["not"] * negated, cue, draw.choice(ENDINGS)]
        return (" ".join(words),), target, "negated" if negated else "plain"


@dataclass(frozen=True)
class ToyScalarTask(Task):
    """Regression: the number of friendly words in the sentence, from 0 to 4."""

    name = "toy-count"
    modality = "text"
    output = Scalar()
    metrics = ("pearson", "spearman")
    slices = ("kind",)
    description = "the number of friendly words in a sentence"

    train: int = 64
    validation: int = 32
    test: int = 32
    draw: int = 0
    """The seed of the sentences."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns generated sentences, as many as the field of the split's name says; None for the unlabelled split."""
        count: int = getattr(self, name, 0)
        return Examples(generate(self._sentence, name, count, self.draw)) if count else None

    @staticmethod
    def _sentence(draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        friendly = index % 5
        cues = [draw.choice(CUES[int(i < friendly)]) for i in range(4)]
        draw.shuffle(cues)
        opening = f"{draw.choice(OPENINGS)} {draw.choice(SUBJECTS)} is"
        return (f"{opening} {' '.join(cues)}",), float(friendly), "many" if friendly > 2 else "few"


@dataclass(frozen=True)
class ToyFit(Strategy):
    """Trains the head for a few full-batch steps of Adam, with a frozen encoder."""

    name = "toy-fit"
    family = "frozen features"
    tune: ClassVar[bool] = False
    """Whether to train the encoder too."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rate and the number of steps."""
        return {"lr": Float(1e-3, 1e-1, log=True), "steps": Int(4, 16)}

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved in a folder."""
        from safetensors.torch import load_file

        for name, part in (("encoder", job.encoder), ("head", job.head)):
            part.load_state_dict(load_file(folder / f"{name}.safetensors"))
        return ToyPredictor(job.encoder, job.head, job.device, 0)

    def fit(self, job: Job) -> Predictor:
        """Returns the trained predictor; reports its validation score half-way and at the end."""
        import torch

        from tlbench.modeling.data import to_device

        steps = int(job.params["steps"])
        if job.protocol.max_steps is not None:
            steps = min(steps, job.protocol.max_steps)
        weights = [*job.head.parameters(), *(job.encoder.parameters() if self.tune else ())]
        trained = sum(weight.numel() for weight in weights)
        predictor = ToyPredictor(job.encoder, job.head, job.device, trained)
        optimizer = torch.optim.Adam(weights, lr=float(job.params["lr"]))
        targets = job.head.targets(job.train).to(job.device)
        job.head.prepare(job.train)
        batch = to_device(job.train.batch(range(len(job.train))), job.device)
        job.head.train()
        job.encoder.train(self.tune)
        hidden = None
        for step in range(1, steps + 1):
            job.train.meter.rows += len(job.train)
            # A frozen encoder gives the same hidden states in every step.
            if self.tune or hidden is None:
                with torch.set_grad_enabled(self.tune):
                    hidden = job.encoder(batch)
            loss = job.head.loss(job.head(job.encoder, hidden), targets)
            if not torch.isfinite(loss):
                raise Diverged(f"the loss is {loss.item()} at step {step}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if job.held_out is not None and step in (steps // 2, steps):
                job.report(step, job.score(predictor), total=steps)
                # Scoring puts both into eval mode.
                job.head.train()
                job.encoder.train(self.tune)
        job.notes["last_loss"] = float(loss.detach())
        return predictor


@dataclass(frozen=True)
class ToyTune(ToyFit):
    """Like `toy-fit`, but trains the encoder too."""

    name = "toy-tune"
    family = "all weights"
    tune = True


@dataclass(frozen=True)
class ToyMajority(Strategy):
    """Predicts the most frequent class or the mean target of the training split."""

    name = "toy-majority"
    family = "baseline"
    uses_backbone = False
    knows_nothing = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task is not supported, or None if its output is a class or a number."""
        if isinstance(task.output, Classes | Scalar):
            return None
        return f"it predicts a class or a number, and {task.name} asks for {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the most frequent class or the mean."""
        import numpy as np

        values, counts = np.unique(job.train.targets, return_counts=True)
        is_class = isinstance(job.task.output, Classes)
        return ToyConstant(job.task.output, values[counts.argmax()] if is_class else job.train.targets.mean())

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved in a folder."""
        return ToyConstant.load(job.task.output, folder)


@dataclass(frozen=True)
class ToyGuess(Strategy):
    """Predicts the class that its hyperparameters give, without training; for measuring the overhead of runs."""

    name = "toy-guess"
    family = "baseline"

    def space(self, about: SpaceContext) -> Space:
        """Returns `guess`, the class as a share of the number of classes, and `idle`, which has no effect."""
        return {"guess": Float(0, 1), "idle": Float(1e-3, 1e-1, log=True)}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task is not supported, or None if its output is a class."""
        if isinstance(task.output, Classes):
            return None
        return f"it predicts a class, and {task.name} asks for {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the guessed class."""
        assert isinstance(job.task.output, Classes)
        # A guess of 1 must still be the last class.
        return ToyConstant(job.task.output, int(float(job.params["guess"]) * (len(job.task.output.names) - 0.001)))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved in a folder."""
        return ToyConstant.load(job.task.output, folder)


def generate(sentence: Sentence, split: SplitName, count: int, seed: int) -> list[Example]:
    """Returns distinct generated examples of a split; a checksum of the inputs decides their split.

    Args:
        sentence: Generates the inputs, target and slice of an example.
        split: The split.
        count: Number of examples.
        seed: Seed of the generator.

    Raises:
        ValueError: There are fewer than `count` distinct sentences.
    """
    # A seed of its own for each split, so that the size of one split does not change another.
    draw = random.Random(f"{seed}/{split}")
    seen: dict[str, Example] = {}
    misses = 0
    while len(seen) < count:
        inputs, target, kind = sentence(draw, len(seen))
        text = " ".join(map(str, inputs))
        belongs = SPLITS[zlib.crc32(text.encode()) % len(SPLITS)]
        if belongs == split and text not in seen:
            seen[text] = Example(f"{split}-{len(seen)}", inputs, target, {"kind": kind})
            misses = 0
            continue
        misses += 1
        if misses > GIVE_UP:
            raise ValueError(f"there are not {count} different toy sentences for {split}, only about {len(seen)}")
    return list(seen.values())
