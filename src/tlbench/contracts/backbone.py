"""The backbone contract: a pretrained model that loads as a staged encoder, with its own tokeniser or transform."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples, Modality

# For the type checker alone: these modules import torch, and a plugin that imports this one must stay light.
if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.modeling.data import Batch, Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

Pairs = Literal["joined", "separate"]
"""How an encoder reads two texts: together in one row, or each in a row of its own."""


@dataclass(frozen=True)
class Vocabulary:
    """What a language-modelling objective has to know of the rows that a text backbone reads."""

    objective: Literal["masked", "causal"]
    """Whether a token is predicted from the tokens on both sides, or from those before it."""
    special: tuple[int, ...] = ()
    """Ids of the special tokens, which are no text, such as padding and separators."""
    mask: int | None = None
    """Id of the token that replaces a masked one; None for `causal`."""
    segments: bool = False
    """Whether the model embeds which of two texts a token is from."""
    ids: str = "input_ids"
    """Key of the token ids in a batch, (B, T) int64."""
    size: int | None = None
    """Number of tokens, for estimates of memory; None if it is unknown."""


@dataclass(frozen=True)
class Card:
    """Facts about a backbone that are known without loading it; unknown ones are None or empty.

    `tlbench list` and `tlbench show` print them, and the memory of a fit is estimated from them.
    """

    family: str = ""
    """The architecture, such as "bert"."""
    parameters: int | None = None
    width: int | None = None
    """Dimension of the hidden states."""
    stages: int | None = None
    """Number of stages above the embeddings (or the stem) that can be frozen or cut."""
    licence: str = ""
    pretraining_data: str = ""
    """What the weights were trained on, in a few words."""
    source: str = ""
    """Where the weights come from, such as a repository of the Hugging Face Hub."""
    revision: str = ""
    """The pinned commit of the source."""
    on_disk: bool = True
    """Whether the weights are on this machine, so that a run needs no network."""
    positions: int | None = None
    """Longest input, in tokens, words or patches."""
    most_positions: int | None = None
    """Longest input that the model can take at any setting; None if it has no limit or it is unknown."""
    image_side: int | None = None
    """Side of the images that it reads, in pixels."""
    maps: tuple[tuple[int, int], ...] = ()
    """Stride in pixels and channels of the maps of an image, from the finest to the coarsest."""
    dropped_heads: int | None = None
    """Number of attention heads per block if the model applies dropout to attention weights in training, so that the
    attention matrices take memory; None if it does not."""
    decoder_parameters: int | None = None
    """Number of parameters of the decoder that generates the answers of `Text` tasks; None if the backbone has none."""
    trained_on: tuple[str, ...] = ()
    """Names of the public data sets that the weights were trained or fine-tuned on, such as ("snli", "multi_nli"), as
    the model's card names them. Rows of tasks whose `Task.datasets` are among them are marked."""
    pairs: Pairs = "joined"
    """How frozen features of two texts are best computed: from one row that holds both texts, or separately from an
    embedding of each, as with sentence encoders. Probes follow it unless their option `pairs` says otherwise."""
    classes: tuple[str, ...] = ()
    """The class names of the classifier in the checkpoint, such as ("entailment", "neutral", "contradiction"), in index
    order; empty if the weights are those of an encoder alone."""
    vocabulary: Vocabulary | None = None
    """What language modelling on the backbone's rows needs; None if it has no such objective or it is unknown."""


@dataclass(frozen=True)
class Classifier:
    """The classifier in a backbone's checkpoint, which was trained by the authors of the weights."""

    names: tuple[str, ...]
    """The names of its classes, in index order."""
    logits: Callable[[Batch], Tensor]
    """Returns the logits (B, K) of a batch of raw rows, on the device of the encoder's weights."""


class Backbone:
    """Base class of backbones: implement `load` and `featurize`, as a frozen dataclass whose fields are its parameters.

    Almost every command creates all backbones, so torch and the model's library are imported inside `load` and
    `featurize` alone. `tlbench.testing.toys.ToyBackbone` is a complete example that loads in milliseconds. Test a
    backbone with `tlbench.testing.conformance.BackboneConformance`.
    """

    # Not a ClassVar, like `version`: a subclass may have one object per model and make the name a field.
    name: str
    """Name of the backbone in suites and on the command line, in kebab-case."""
    modality: Modality
    version: ClassVar[int] = 1
    """Version of the backbone; part of cell ids. Increase it when results change because of other weights or
    preprocessing."""
    paper: str = ""
    gives_maps: ClassVar[bool] = False
    """Whether `featurize` and `load` serve outputs that read a "map": rows show whole images (`Output.regions`), and
    the encoder gives maps of features."""
    imports: ClassVar[tuple[str, ...]] = ()
    """Modules used by `load` and `featurize` that are slow to import, such as "timm". They are imported once for all
    workers."""

    def card(self) -> Card:
        """Returns facts about the backbone; called for every backbone that is listed, so it must load no weights."""
        return Card()

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a new encoder on the CPU in fp32 and eval mode; with random weights unless `pretrained`.

        Called in a worker, which moves the encoder to the device and applies the protocol's precision. Random weights
        must be drawn from torch's global generator, which is seeded before the call.

        Raises:
            Exception: A pretrained tensor is missing or was not loaded. A warning is not enough, because the fit would
                go on with a tensor of random weights.
        """
        raise NotImplementedError

    def missing(self) -> str | None:
        """Returns a message that says which files are missing on this machine and how to get them; None if none are.

        A plan skips the backbone with this text as the reason, so the method must load nothing. By default files are
        missing if the card's `on_disk` is False.
        """
        if self.card().on_disk:
            return None
        return f"{self.name} is not on this machine: run `tlbench fetch --backbone {shlex.quote(self.name)}`"

    def fetch(self) -> None:
        """Downloads weights and tokenizer for offline use; called by `tlbench fetch`.

        Files that are already on this machine must be left unchanged.

        Raises:
            UsageError: The weights or the tokenizer cannot be downloaded; the message says why.
        """

    def supports(self, output: Output) -> str | None:
        """Returns why the backbone cannot solve tasks with this output, or None if it can.

        A plan skips the cell with this text as the reason, so the method must load nothing. By default text generation
        is refused if `head` is not overridden, and outputs that read a map are unless `gives_maps` is set.
        """
        # Compares the functions, since calling `head` would need a loaded encoder.
        if output.reads == "prompt" and type(self).head is Backbone.head:
            return f"{self.name} has no decoder, which a task with texts as answers needs"
        if output.reads == "map" and not self.gives_maps:
            return f"{self.name} gives no maps of an image's features, which {type(output).__name__} needs"
        return None

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns tokenised or transformed examples; a long example may become several rows (windows).

        Called in a worker. For `TokenClasses` and `Span` the data must have an `alignment`, which maps positions back
        to the words or characters of the example.
        """
        raise NotImplementedError

    def save(self, encoder: Encoder, folder: Path) -> str:
        """Writes an encoder with its tokeniser or transform to files, and returns the name of the new backbone.

        Args:
            encoder: An encoder from `load`, whose weights may have been trained.
            folder: An existing, empty folder.

        Raises:
            UsageError: Such backbones cannot be saved; this is the default.
        """
        raise UsageError(f"{self.name} cannot be saved as another backbone: its plugin has no form for it")

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes a fitted model so that the backbone's library loads it without tlbench; called by `tlbench export`.

        Weights are safetensors and settings JSON. The encoder in `model` may be changed: it is not used afterwards.

        Args:
            model: An encoder of this backbone and a head, as the predictor described them.
            output: The task's output, with the names of its classes.
            folder: An existing, empty folder.

        Raises:
            UsageError: Such a model has no form in the library; the message says why. This is the default.
        """
        raise UsageError(
            f"{self.name} cannot be exported: its plugin does not say how (`Backbone.export`); `tlbench predict` with "
            "the cell predicts new rows without an export"
        )

    def head(self, output: Output, encoder: Encoder) -> Head | None:
        """Returns a new head for this output; override it to provide a pretrained decoder.

        If the result is None, tlbench's own head for this kind of output is used. The default calls `Output.head`.
        """
        return output.head(encoder)

    def classifier(self, encoder: Encoder) -> Classifier | None:
        """Returns the classifier in the checkpoint, on an encoder that `load` returned; None if it has none.

        Override it together with `Card.classes`. The default returns None.

        Raises:
            PluginError: A tensor of the classifier did not load.
        """
        return None
