"""Toy tasks with structured outputs: several labels, a class per word, and spans of the input."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tlbench.contracts.outputs import Answer, MultiLabel, Span, TokenClasses
from tlbench.contracts.task import Examples, SplitName, Task
from tlbench.testing.toys import CUES, ENDINGS, OPENINGS, SUBJECTS, generate

PLACES = ("Arden", "Bree", "Caldera", "Dunmore", "Elland", "Farrow", "Glenn", "Harrow")
NAMES = ("Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo")
SURNAMES = ("Moss", "Nash", "Oakes", "Price", "Quill", "Reed", "Stone", "Tate")


@dataclass(frozen=True)
class _GeneratedTask(Task):
    """Base class of tasks whose sentences are generated one at a time."""

    modality = "text"
    slices = ("kind",)

    train: int = 64
    validation: int = 32
    test: int = 32
    draw: int = 0
    """The seed of the sentences."""

    def split(self, name: SplitName) -> Examples | None:
        """Returns generated examples, as many as the field of the split's name says; None for the unlabelled split."""
        count: int = getattr(self, name, 0)
        return Examples(generate(self._sentence, name, count, self.draw)) if count else None

    def _sentence(self, draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        raise NotImplementedError


@dataclass(frozen=True)
class ToyLabelsTask(_GeneratedTask):
    """Multi-label classification: does the sentence have a friendly word, an unfriendly word, a negation?"""

    name = "toy-labels"
    output = MultiLabel(("friendly", "unfriendly", "negated"))
    metrics = ("f1_micro",)
    description = "which kinds of words a sentence holds: any of three"

    def _sentence(self, draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        # The bits of the index, so that all eight combinations are equally frequent.
        friendly, unfriendly, negated = ((index >> bit) & 1 for bit in range(3))
        cues = [draw.choice(CUES[1])] * friendly + [draw.choice(CUES[0])] * unfriendly
        draw.shuffle(cues)
        words = [draw.choice(OPENINGS), draw.choice(SUBJECTS), "is", *["not"] * negated, *cues, draw.choice(ENDINGS)]
        return (" ".join(words),), (friendly, unfriendly, negated), "negated" if negated else "plain"


@dataclass(frozen=True)
class ToyWordsTask(_GeneratedTask):
    """Named-entity recognition: persons, of one or two words, and places of one word."""

    name = "toy-names"
    output = TokenClasses(("O", "B-person", "I-person", "B-place"))
    metrics = ("entity_f1",)
    description = "names of persons, of one word or two, and of places among other words"

    def _sentence(self, draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        person = [(draw.choice(NAMES), 1), *([(draw.choice(SURNAMES), 2)] if index % 2 else [])]
        where = [("in", 0), (draw.choice(PLACES), 3)]
        what = [(draw.choice(OPENINGS), 0), (draw.choice(SUBJECTS), 0), ("of", 0), *person, ("is", 0)]
        # Two word orders, so that positions alone do not identify the entities.
        parts = [*where, *what] if index % 3 == 0 else [*what, *where]
        words, tags = zip(*parts, (draw.choice(CUES[index % 2]), 0), strict=True)
        return (words,), tags, "two names" if index % 2 else "one name"


@dataclass(frozen=True)
class ToySpanTask(_GeneratedTask):
    """Extractive question answering: whose is the thing, or where is it? Answers have one or two words."""

    name = "toy-span"
    output = Span()
    metrics = ("answer_f1", "exact_match")
    description = "whose it is, or where: the words of a sentence that answer"

    unanswerable: bool = False
    """Whether every fourth question has no answer in its context, as in SQuAD 2."""

    def _sentence(self, draw: random.Random, index: int) -> tuple[tuple[Any, ...], Any, str]:
        subject, place = draw.choice(SUBJECTS), draw.choice(PLACES)
        person = draw.choice(NAMES) + (f" {draw.choice(SURNAMES)}" if index % 3 == 0 else "")
        asks_where = index % 2 == 1
        missing = self.unanswerable and index % 4 == 3
        context = f"{draw.choice(OPENINGS)} {subject} of {person} is {'lost' if missing else f'in {place}'}"
        answer = place if asks_where else person
        answers = () if missing else (Answer(answer, context.index(answer)),)
        question = f"{'where' if asks_where else 'whose'} is the {subject}"
        return (question, f"{context} {draw.choice(ENDINGS)}"), answers, "where" if asks_where else "whose"
