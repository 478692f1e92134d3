"""Prompting: the class whose name a language model finds likeliest after the text. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Choice, Examples, Job, Space, SpaceContext, Task, Text, UsageError, Value
from tlbench_fewshot.demonstrations import drawn
from tlbench_fewshot.zero_shot import ZeroShot

if TYPE_CHECKING:
    from tlbench_fewshot.zero_shot import Logits

LABEL_TOKENS = 16
"""Maximum number of tokens of a class name."""


@dataclass(frozen=True)
class Prompting(ZeroShot):
    """Predicts the class whose name a generative model finds likeliest as the continuation of a prompt.

    With `shots` the prompt begins with as many training examples and their classes, in-context learning without
    training. If a prompt is too long for the backbone, its first examples are left out. With `calibration=contextual`,
    the likelihood of a class name is divided by that after a prompt without content (Zhao et al. 2021,
    arXiv:2102.09690).
    """

    name: ClassVar[str] = "prompting"
    paper: ClassVar[str] = "Brown et al. 2020, arXiv:2005.14165"
    shots: int = 0
    """Number of training examples in the prompt, drawn with the fit's seed, the classes in turn."""

    def __post_init__(self) -> None:
        if self.shots < 0:
            raise UsageError(f"prompting[shots={self.shots}]: the number of examples in the prompt is at least 0")

    def space(self, about: SpaceContext) -> Space:
        """Returns whether likelihoods are calibrated, and whether a space comes before a class name.

        Tokenisers differ in whether a word after the prompt begins with a space.
        """
        return {"calibration": Choice(("contextual", "none")), "space": Choice((True, False))}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns calibrated likelihoods and a space before a class name."""
        return {"calibration": "contextual", "space": True}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone (it generates no text) or a task is not supported, or None."""
        if backbone is not None and (reason := backbone.supports(Text(LABEL_TOKENS))) is not None:
            return reason
        return super().supports(backbone, task)

    def settings(self, job: Job) -> dict[str, Any]:
        """Returns params, labels and the examples in the prompt."""
        found = drawn(job.examples("train") or Examples(()), len(job.task.output.classes), self.shots, job.seed)
        labels = self.texts(job.task.output)
        shown = [[example.inputs[0], labels[example.target]] for example in found]
        return {**super().settings(job), "demonstrations": shown}

    def check_settings(self, job: Job, folder: Path, settings: Mapping[str, Any]) -> None:
        """Checks the settings of a saved predictor, whose examples in the prompt are kept as they are.

        Raises:
            UsageError: They are not those of this job.
        """
        shown = settings.get("demonstrations")
        labels = self.texts(job.task.output)
        if not isinstance(shown, list) or len(shown) > self.shots or not all(_is_shown(one, labels) for one in shown):
            raise UsageError(f"{folder}: its examples in the prompt are not pairs of a text and a class")
        if settings != {**super().settings(job), "demonstrations": shown}:
            raise UsageError(f"{folder} holds a predictor with other params or labels: {dict(settings)!s:.80}")

    def logits(self, job: Job, settings: Mapping[str, Any]) -> Logits:
        """Returns a function from examples to the log-likelihoods of the class names."""
        from tlbench_fewshot.label_likelihood import LabelLikelihood

        shown = [(str(text), str(label)) for text, label in settings["demonstrations"]]
        is_calibrated = job.params["calibration"] == "contextual"
        space = " " if job.params["space"] else ""
        return LabelLikelihood(job, Text(LABEL_TOKENS), self.texts(job.task.output), shown, is_calibrated, space)


def _is_shown(one: Any, labels: tuple[str, ...]) -> bool:
    return isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and one[1] in labels
