"""A toy backbone, tasks and strategies: small enough to test a whole run in milliseconds, and light to import."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from tlbench.contracts.backbone import Backbone, Card
from tlbench.contracts.errors import Diverged
from tlbench.contracts.outputs import Classes, Output, Scalar
from tlbench.contracts.space import Float, Int, Space
from tlbench.contracts.strategy import About, Job, Predictor, Strategy
from tlbench.contracts.task import Example, Examples, SplitName, Task
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
GIVE_UP = 2000
Sentence: TypeAlias = Callable[[random.Random, int], tuple[tuple[Any, ...], Any, str]]
"""Draws what the example of this number shows, its target, and its kind."""
SPLITS: tuple[SplitName, ...] = ("train", "validation", "unlabeled", "test")


@dataclass(frozen=True)
class ToyBackbone(Backbone):
    """A transformer of three tiny blocks over hashed words; its "pretrained" weights are drawn from a fixed seed."""

    name = "toy"
    modality = "text"

    width: int = 16
    blocks: int = 3
    weights: int = 7
    """The seed of the pretrained weights."""
    readout: Literal["mean", "first"] = "mean"

    def card(self) -> Card:
        """Returns what is known of the toy."""
        return Card(family="toy", width=self.width, stages=self.blocks, licence="Apache-2.0", source="generated")

    def load(self, *, pretrained: bool = True) -> ToyEncoder:
        """Returns the encoder; if not `pretrained`, drawn from torch's global generator."""
        from tlbench.testing.toy_encoder import build

        return build(self.width, self.blocks, self.readout, self.weights if pretrained else None)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns the words of each example, hashed; one row each, cut where it is too long."""
        from tlbench.testing.toy_encoder import featurize

        return featurize(examples, output)


@dataclass(frozen=True)
class ToyTask(Task):
    """Is the sentence friendly? One cue word decides, and "not" turns it round.

    A text belongs to the split that its checksum says, so splits of any size never overlap.
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
    """0: the task has no such split."""
    draw: int = 0
    """The seed of the sentences."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns as many generated sentences as the field of this name says, labels balanced."""
        count: int = getattr(self, name)
        if not count:
            return None
        examples = Examples(generate(self._sentence, name, count, self.draw))
        return examples.without_targets() if name == "unlabeled" else examples

    @staticmethod
    def _sentence(draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        target = index % 2
        negated = index % 8 < 2
        cue = draw.choice(CUES[target ^ negated])
        words = [draw.choice(OPENINGS), draw.choice(SUBJECTS), "is", *["not"] * negated, cue, draw.choice(ENDINGS)]
        return (" ".join(words),), target, "negated" if negated else "plain"


@dataclass(frozen=True)
class ToyScalarTask(Task):
    """How many friendly words does the sentence hold? A real number from 0 to 4."""

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
        """Returns as many generated sentences as the field of this name says; there is no unlabelled split."""
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
    """A few steps of gradient descent on the head alone, the encoder frozen."""

    name = "toy-fit"
    tune: ClassVar[bool] = False

    def space(self, about: About) -> Space:
        """Returns a learning rate and a number of steps."""
        return {"lr": Float(1e-3, 1e-1, log=True), "steps": Int(4, 16)}

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns what was saved."""
        from safetensors.torch import load_file

        for name, part in (("encoder", job.encoder), ("head", job.head)):
            part.load_state_dict(load_file(folder / f"{name}.safetensors"))
        return ToyPredictor(job.encoder, job.head, job.device, 0)

    def fit(self, job: Job) -> Predictor:
        """Returns the head on the encoder; reports its validation score half-way and at the end."""
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
            if self.tune or hidden is None:
                with torch.set_grad_enabled(self.tune):
                    hidden = job.encoder(batch)
            loss = job.head.loss(job.head(job.encoder, hidden), targets)
            if not torch.isfinite(loss):
                raise Diverged(f"the loss is {loss.item()} at step {step}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step in (steps // 2, steps):
                job.report(step, job.score(predictor))
                job.head.train()
                job.encoder.train(self.tune)
        job.notes["last_loss"] = float(loss.detach())
        return predictor


@dataclass(frozen=True)
class ToyTune(ToyFit):
    """The same on every weight, encoder included."""

    name = "toy-tune"
    tune = True


@dataclass(frozen=True)
class ToyMajority(Strategy):
    """The most frequent class, or the mean; looks at nothing."""

    name = "toy-majority"
    uses_backbone = False

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why it has nothing to say: it knows classes and numbers alone."""
        if isinstance(task.output, Classes | Scalar):
            return None
        return f"it answers with a class or a number, and {task.name} asks for {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that always says the same."""
        import numpy as np

        values, counts = np.unique(job.train.targets, return_counts=True)
        is_class = isinstance(job.task.output, Classes)
        return ToyConstant(job.task.output, values[counts.argmax()] if is_class else job.train.targets.mean())

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns what was saved."""
        return ToyConstant.load(job.task.output, folder)


@dataclass(frozen=True)
class ToyGuess(Strategy):
    """Says what its hyperparameters say, and trains nothing: what a run of it takes is the run's own work."""

    name = "toy-guess"

    def space(self, about: About) -> Space:
        """Returns the number of a class, and a number that does nothing."""
        return {"guess": Float(0, 1), "idle": Float(1e-3, 1e-1, log=True)}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why it has nothing to say: it knows classes alone."""
        if isinstance(task.output, Classes):
            return None
        return f"it answers with a class, and {task.name} asks for {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that always says the same."""
        assert isinstance(job.task.output, Classes)
        return ToyConstant(job.task.output, int(float(job.params["guess"]) * (len(job.task.output.names) - 0.001)))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns what was saved."""
        return ToyConstant.load(job.task.output, folder)


def generate(sentence: Sentence, split: SplitName, count: int, seed: int) -> list[Example]:
    """Returns as many different examples of a split; what they show says which split they belong to.

    Raises:
        ValueError: There are not so many.
    """
    draw = random.Random(f"{seed}/{split}")
    seen: dict[str, Example] = {}
    misses = 0
    while len(seen) < count:
        inputs, target, kind = sentence(draw, len(seen))
        shown = " ".join(map(str, inputs))
        belongs = SPLITS[zlib.crc32(shown.encode()) % len(SPLITS)]
        if belongs == split and shown not in seen:
            seen[shown] = Example(f"{split}-{len(seen)}", inputs, target, {"kind": kind})
            misses = 0
            continue
        misses += 1
        if misses > GIVE_UP:
            raise ValueError(f"there are not {count} different toy sentences for {split}, only some {len(seen)}")
    return list(seen.values())
