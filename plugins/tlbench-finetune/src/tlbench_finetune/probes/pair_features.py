"""The option `pairs` of probes: how the frozen encoder reads two texts, and the features that come of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from tlbench import Backbone, Card, Example, Examples, Job, PluginError, SpaceContext, Task
from tlbench.training import ClassWeighted

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

Pairs: TypeAlias = Literal["joined", "separate"]

_known: dict[Hashable, Pairs] = {}
"""What the cards of backbones on this machine say; reading a card reads files, and a plan asks for each cell."""


@dataclass(frozen=True, kw_only=True)
class ReadsPairs(ClassWeighted):
    """Base class of probes that read two texts joined in one row, or separately as two embeddings.

    Separate embeddings u and v give the features (u, v, |u - v|, u * v, cosine), after InferSent and Sentence-BERT
    (Conneau et al. 2017, arXiv:1705.02364; Reimers & Gurevych 2019, arXiv:1908.10084). They suit encoders that were
    trained to embed single texts, to which a row of two texts is foreign.
    """

    family: ClassVar[str] = "frozen features"

    pairs: Literal["joined", "separate"] | None = None
    """How two texts are read: "joined" in one row, or "separate"; None to follow the backbone's card."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (`pairs` is set, but its examples are no pairs), or None."""
        if self.pairs is not None and not task.pairs:
            return f"pairs={self.pairs} says how two texts are read, but the examples of {task.name} are no pairs"
        return super().supports(backbone, task)

    def version_for(self, backbone: Backbone | None, task: Task) -> int:
        """Returns `version`, plus one where separate embeddings are the default.

        Without the option `pairs`, every pair used to be read joined: results that are still computed in that way keep
        their ids, and those of sentence encoders get others.
        """
        is_separate = self.pairs is None and self.pairs_of(backbone, two_texts=task.pairs) == "separate"
        return self.version + 1 if is_separate else self.version

    def pairs_of(self, backbone: Backbone | None, *, two_texts: bool) -> Pairs:
        """Returns how a backbone reads the examples of a task, which are two texts or not."""
        return self.pairs_by(lambda: _card_pairs(backbone), two_texts=two_texts)

    def pairs_about(self, about: SpaceContext) -> Pairs:
        """Returns how the examples of a cell are read."""
        return self.pairs_of(about.backbone, two_texts=about.task.pairs)

    def pairs_in(self, job: Job) -> Pairs:
        """Returns how the job's encoder reads the examples of its task."""
        return self.pairs_by(lambda: job.card().pairs, two_texts=job.task.pairs)

    def pairs_by(self, default: Callable[[], Pairs], *, two_texts: bool) -> Pairs:
        """Returns the option, or the default where it is not set; single texts are always read as one row."""
        if not two_texts:
            return "joined"
        return self.pairs or default()


def features_of(job: Job, data: Data, pairs: Pairs) -> Tensor:
    """Returns the features of each example, (N, sum of `widths_of`), in fp32 or fp64.

    Raises:
        PluginError: The texts are to be read separately, but an example is no pair, or a text has several rows.
    """
    if pairs == "joined":
        return job.activations.features(job.encoder, data, job.precision)
    import torch

    parts: list[Tensor] = []
    for first, second in zip(*_embeddings(job, data), strict=True):
        products = first * second
        parts += [first, second, (first - second).abs(), products, products.sum(1, keepdim=True)]
    return torch.cat(parts, dim=1)


def widths_of(job: Job, pairs: Pairs) -> list[int]:
    """Returns the number of features of an example, of each stage that the job's encoder puts out."""
    widths = _stage_widths(job.encoder)
    return widths if pairs == "joined" else [4 * width + 1 for width in widths]


def _embeddings(job: Job, data: Data) -> tuple[list[Tensor], list[Tensor]]:
    """Returns the embeddings of the first and of the second texts, each as (N, D) of length 1 for each stage.

    Each distinct text is encoded once. Subsets of one data set share its embeddings, as they share joined features.
    """
    import torch

    whole = data.shared.whole if data.shared else data
    places = {text: place for place, text in enumerate(_distinct(job, whole.examples))}
    # Without targets and ids of their own, so that tasks with the same texts share the encoding.
    alone = job.featurize(Examples(Example(str(place), (text,)) for text, place in places.items()))
    if len(alone) != len(places):
        raise PluginError("pairs=separate needs one row per text, but featurize returned several rows for some texts")
    if data.shared:
        read = _distinct(job, data.examples)
        alone = alone.share([places[text] for text in read])
        places = {text: place for place, text in enumerate(read)}
    embeddings = job.activations.features(job.encoder, alone, job.precision)
    stages = embeddings.split(_stage_widths(job.encoder), dim=1)
    units = [torch.nn.functional.normalize(stage, dim=1) for stage in stages]
    rows = torch.as_tensor([[places[text] for text in example.inputs] for example in data.examples])
    first, second = rows.to(embeddings.device).reshape(-1, 2).T
    return [unit[first] for unit in units], [unit[second] for unit in units]


def _stage_widths(encoder: Encoder) -> list[int]:
    """Returns the width of each stage that the encoder puts out."""
    from tlbench.modeling.stages.every_stage import EveryStage

    return [*encoder.widths] if isinstance(encoder, EveryStage) else [encoder.width]


def _distinct(job: Job, examples: Examples) -> list[str]:
    """Returns the distinct texts of pairs, in order of their first appearance.

    Raises:
        PluginError: An example is no pair.
    """
    if wrong := next((example for example in examples if len(example.inputs) != 2), None):
        raise PluginError(
            f"pairs=separate reads two texts, but the example {wrong.id!r} of {job.task.name} has {len(wrong.inputs)}"
        )
    return list(dict.fromkeys(text for example in examples for text in example.inputs))


def _card_pairs(backbone: Backbone | None) -> Pairs:
    if backbone is None:
        return Card().pairs
    # A plugin's backbone need not be a frozen dataclass, nor its fields hashable.
    try:
        known = _known.get(backbone)
    except TypeError:
        return backbone.card().pairs
    if known is not None:
        return known
    card = backbone.card()
    # The card of a model that is not on this machine says little, and may say more once it has been fetched.
    if card.on_disk:
        _known[backbone] = card.pairs
    return card.pairs
