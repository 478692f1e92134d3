"""Zero-shot classification by similarity: the class whose name has the most similar embedding. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Choice, Example, Examples, Job, PluginError, Space, SpaceContext, Value
from tlbench_fewshot.zero_shot import ZeroShot

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench_fewshot.zero_shot import Logits

TEMPLATES = ("{}", "This text is about {}.", "This sentence is {}.", "A text about {}.")
"""Sentences that a class name is put into."""
TEMPERATURE = 0.05
"""The cosines are divided by it to get logits; it changes probabilities, not the class."""


@dataclass(frozen=True)
class ZeroShotSimilarity(ZeroShot):
    """Predicts the class whose name, in a template, has the embedding with the highest cosine to that of the text.

    Only the choice of the template uses labels, those of the validation split.
    """

    name: ClassVar[str] = "zero-shot-similarity"
    paper: ClassVar[str] = "Chang et al. 2008, AAAI, Importance of semantic representation: dataless classification"

    def space(self, about: SpaceContext) -> Space:
        """Returns the templates."""
        return {"template": Choice(TEMPLATES)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the bare class name."""
        return {"template": TEMPLATES[0]}

    def logits(self, job: Job, settings: Mapping[str, Any]) -> Logits:
        """Returns a function from examples to the cosines with all classes over the temperature."""
        template, labels = str(job.params["template"]), self.texts(job.task.output)
        classes = embeddings(job, Examples(Example(label, (template.format(label),)) for label in labels))
        return lambda examples: embeddings(job, examples) @ classes.T / TEMPERATURE


def embeddings(job: Job, examples: Examples) -> Tensor:
    """Returns the frozen encoder's readout of each text, scaled to length 1, (N, D).

    Raises:
        PluginError: A text has several rows.
    """
    from torch.nn import functional

    data = job.featurize(examples)
    if len(data) != len(examples):
        raise PluginError("a text is compared as one row, but featurize returned several rows for some texts")
    return functional.normalize(job.activations.features(job.encoder, data, job.precision), dim=1)
