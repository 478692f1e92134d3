"""The baseline of tasks that ask for a text: the first words of what there is to read."""

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

if TYPE_CHECKING:
    from tlbench.modeling.data import Data

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Lead(Strategy):
    """The first words of the source, or of a question's context: as many as the answers of the training data have.

    Of a news text or a dialogue that is a summary which is hard to beat; of a translation a copy, of a question a
    guess. The number is the median over all accepted answers; a question without any has an answer of no words.
    """

    name: ClassVar[str] = "lead"
    paper: ClassVar[str] = "See et al. 2017, arXiv:1704.04368 (the lead-3 baseline)"
    uses_backbone: ClassVar[bool] = False

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: the answer must be a text."""
        if isinstance(task.output, Text | Span):
            return None
        return f"no first words answer {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of the first words of each example."""
        import numpy as np

        output = job.task.output
        if not isinstance(output, Text | Span):
            raise PluginError(f"no first words answer {type(output).__name__}")
        job.train.meter.rows += len(job.train)
        counts = [count for example in job.train.examples for count in _word_counts(example.target)]
        return FirstWords(output, round(float(np.median(counts))))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that answers with the job's output.
        """
        return FirstWords.load(job.task.output, folder)


@dataclass(frozen=True)
class FirstWords:
    """Answers every example with the beginning of what it has to read."""

    output: Output
    words: int
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns a text for each example of the data, as it stands there."""
        import numpy as np

        values = np.empty(len(data.examples), dtype=object)
        for i, example in enumerate(data.examples):
            values[i] = _beginning(self._source(example), self.words)
        return Predictions(data.ids, values)

    def save(self, folder: Path) -> None:
        """Writes how many words an answer has."""
        from tlbench.modeling.predictor_files import write_predictor

        write_predictor(folder, type(self).__name__, self.output, {"words": self.words})

    @classmethod
    def load(cls, output: Output, folder: Path) -> FirstWords:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that answers with this output.
        """
        from tlbench.modeling.predictor_files import read_settings

        words = read_settings(folder, cls.__name__, output).get("words")
        if not isinstance(words, int) or isinstance(words, bool) or words < 0:
            raise UsageError(f"{folder} holds no number of words: {words!s:.80}")
        return cls(output, words)

    def _source(self, example: Example) -> str:
        source: str = example.inputs[1 if isinstance(self.output, Span) else 0]
        return source


def _word_counts(accepted: Sequence[str | Answer]) -> list[int]:
    texts: list[Any] = [item.text if isinstance(item, Answer) else item for item in accepted]
    return [len(_WORD.findall(text)) for text in texts] or [0]


def _beginning(text: str, words: int) -> str:
    found = list(islice(_WORD.finditer(text), words))
    return text[found[0].start() : found[-1].end()] if found else ""
