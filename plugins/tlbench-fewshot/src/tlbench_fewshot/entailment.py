"""Zero-shot classification by natural language inference: does the text entail the class? Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Choice, Example, Examples, Job, PluginError, Space, SpaceContext, Task, Value
from tlbench_fewshot.zero_shot import ZeroShot

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench_fewshot.zero_shot import Logits

TEMPLATES = ("This example is {}.", "This text is about {}.", "This text expresses {}.")
"""Hypotheses that a class name is put into; the first is that of transformers' pipeline."""


@dataclass(frozen=True)
class ZeroShotEntailment(ZeroShot):
    """Predicts the class whose hypothesis the text entails most, by the classifier of a checkpoint trained on NLI.

    The logits are those of entailment, as in the `zero-shot-classification` pipeline of transformers. Only the choice
    of the template uses labels, those of the validation split.
    """

    name: ClassVar[str] = "zero-shot-nli"
    paper: ClassVar[str] = "Yin et al. 2019, arXiv:1909.00161"

    def space(self, about: SpaceContext) -> Space:
        """Returns the templates of the hypothesis."""
        return {"template": Choice(TEMPLATES)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the template of transformers' pipeline."""
        return {"template": TEMPLATES[0]}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a backbone (it has no classifier of entailment) or a task is not supported, or None."""
        if backbone is not None and entailment(names := backbone.card().classes) is None:
            has = f"one of {', '.join(names)}" if names else "none"
            return f"zero-shot-nli asks a classifier of entailment, and the checkpoint has {has}"
        return super().supports(backbone, task)

    def logits(self, job: Job, settings: Mapping[str, Any]) -> Logits:
        """Returns a function from examples to the logits of entailment of each class.

        Raises:
            PluginError: The checkpoint has no classifier of entailment.
        """
        classifier = job.classifier()
        index = entailment(classifier.names) if classifier else None
        if classifier is None or index is None:
            raise PluginError("the checkpoint has no classifier of entailment")
        template, labels = str(job.params["template"]), self.texts(job.task.output)

        def logits(examples: Examples) -> Tensor:
            import torch

            from tlbench.modeling.batches import default_tokens, inference_batches
            from tlbench.modeling.data import to_device
            from tlbench.modeling.precision import autocast

            pairs = Examples(
                Example(f"{one.id}#{number}", (one.inputs[0], template.format(label)))
                for one in examples
                for number, label in enumerate(labels)
            )
            data, found = job.featurize(pairs), torch.empty(len(pairs))
            for rows in inference_batches(data.lengths, default_tokens(job.device.type)):
                with torch.inference_mode(), autocast(job.device, job.precision):
                    answers = classifier.logits(to_device(data.batch(rows), job.device))
                found[data.owners[rows]] = answers[:, index].float().cpu()
            return found.view(len(examples), len(labels))

        return logits


def entailment(names: Sequence[str]) -> int | None:
    """Returns the index of the class of entailment, as transformers' pipeline finds it, or None."""
    return next((index for index, name in enumerate(names) if name.lower().startswith("entail")), None)
