"""A plugin with a backbone that knows the toy task: it reads the answer off a sentence, as one word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tlbench import Backbone, Example, Examples, Output, hookimpl
from tlbench.modeling.data import Data
from tlbench.testing.toys import CUES, ToyBackbone


@dataclass(frozen=True)
class KnowingBackbone(ToyBackbone):
    """The toy backbone, of another width, over rows of one word: "friendly" or "unfriendly"."""

    name = "knowing"
    width: int = 24

    def featurize(self, examples: Examples, output: Output) -> Data:
        return super().featurize(
            Examples(Example(one.id, (self.answer(one.inputs[0]),), one.target) for one in examples), output
        )

    @staticmethod
    def answer(text: str) -> str:
        words = text.split()
        return ("unfriendly", "friendly")[any(word in CUES[1] for word in words) ^ ("not" in words)]


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    return [KnowingBackbone()]
