"""The lead baseline: answers a text or span task with the first words of the source or context."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import (
    Answer,
    Backbone,
    Example,
    Job,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Span,
    Strategy,
    Task,
    Text,
    UsageError,
)
from tlbench.contracts.exports.forms import Program
from tlbench_finetune.exported_baselines import baseline_program, no_adapter

if TYPE_CHECKING:
    from tlbench.modeling.data import Data

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Lead(Strategy):
    """Predicts the first words of the source, or of a question's context, without training.

    The number of words is the median over all accepted targets of the training split, counting an unanswerable question
    as 0. The baseline is hard to beat on news summarisation; in translation it copies the source, and for questions it
    is a guess.
    """

    name: ClassVar[str] = "lead"
    paper: ClassVar[str] = "See et al. 2017, arXiv:1704.04368 (the lead-3 baseline)"
    family: ClassVar[str] = "baseline"
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its output is neither a text nor a span), or None."""
        if isinstance(task.output, Text | Span):
            return None
        return f"lead predicts a text or a span, not {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the first words of each example.

        Raises:
            PluginError: The output is neither a text nor a span.
        """
        import numpy as np

        output = job.task.output
        if not isinstance(output, Text | Span):
            raise PluginError(f"lead predicts a text or a span, not {type(output).__name__}")
        job.train.meter.rows += len(job.train)
        counts = [count for example in job.train.examples for count in _word_counts(example.target)]
        # Python rounds halves to even: a median of 2.5 words becomes 2.
        return FirstWords(output, round(float(np.median(counts))))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        return FirstWords.load(job.task.output, folder)


@dataclass(frozen=True)
class FirstWords:
    """Predicts the first `words` words of every example's source or context."""

    output: Output
    words: int
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the first words of each example's source or context, with white space unchanged."""
        import numpy as np

        # NumPy's own string arrays have a fixed width and would cut longer texts.
        values = np.empty(len(data.examples), dtype=object)
        for i, example in enumerate(data.examples):
            values[i] = _beginning(self._source(example), self.words)
        return Predictions(data.ids, values)

    def exportable(self, *, keep_adapter: bool = False) -> Program:
        """Returns a script that cuts texts off."""
        no_adapter(keep_adapter)
        return baseline_program("lead", {"words": self.words, "place": 1 if isinstance(self.output, Span) else 0})

    def save(self, folder: Path) -> None:
        """Writes the number of words."""
        from tlbench.modeling.predictor_files import write_predictor

        write_predictor(folder, type(self).__name__, self.output, {"words": self.words})

    @classmethod
    def load(cls, output: Output, folder: Path) -> FirstWords:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for this output.
        """
        from tlbench.modeling.predictor_files import read_settings

        words = read_settings(folder, cls.__name__, output).get("words")
        # bool is a subclass of int, and JSON's true is no number of words.
        if not isinstance(words, int) or isinstance(words, bool) or words < 0:
            raise UsageError(f"{folder}: the saved `words` is not a whole number from 0: {words!s:.80}; fit lead again")
        return cls(output, words)

    def _source(self, example: Example) -> str:
        # Span tasks have (question, context); an answer is a substring of the context.
        source: str = example.inputs[1 if isinstance(self.output, Span) else 0]
        return source


def _word_counts(accepted: Sequence[str | Answer]) -> list[int]:
    texts: list[Any] = [item.text if isinstance(item, Answer) else item for item in accepted]
    # A SQuAD 2 question without an answer counts as an answer of no words.
    return [len(_WORD.findall(text)) for text in texts] or [0]


def _beginning(text: str, words: int) -> str:
    # Sliced from the text, not joined: a span answer must be an exact substring, line breaks included.
    first = list(islice(_WORD.finditer(text), words))
    return text[first[0].start() : first[-1].end()] if first else ""
