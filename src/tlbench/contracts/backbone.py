"""The backbone contract: weights that load into a staged encoder, and how examples become its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples, Modality

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head


@dataclass(frozen=True)
class Card:
    """What can be said of a backbone without loading it; what is not known is None or empty."""

    family: str = ""
    parameters: int | None = None
    width: int | None = None
    stages: int | None = None
    """How many stages above the embeddings (or the stem) can be frozen or cut."""
    licence: str = ""
    pretraining_data: str = ""
    source: str = ""
    revision: str = ""
    on_disk: bool = True
    positions: int | None = None
    """How many positions an input has at most: tokens, words, patches."""
    dropped_heads: int | None = None
    """How many attention heads a block has, where dropout is applied to their weights in training; else None."""
    decoder_parameters: int | None = None
    """Of what its head for texts brings, which no frozen stage holds; None where it writes none."""


class Backbone:
    """A pretrained model: subclass it as a frozen dataclass whose fields are its parameters.

    A backbone object is light: torch and the model's library are imported in `load` and `featurize`.
    """

    name: str
    modality: Modality
    version: ClassVar[int] = 1
    """Raise it when the results change: other weights, another preprocessing."""
    paper: str = ""
    imports: ClassVar[tuple[str, ...]] = ()
    """Modules that `load` and `featurize` take long to import, such as "timm": imported once for all workers."""

    def card(self) -> Card:
        """Returns what is known of the backbone without loading it."""
        return Card()

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a fresh encoder on the CPU in fp32, in eval mode; with random weights if not `pretrained`.

        The runner moves it to the device and applies the protocol's precision. Random weights are drawn
        from torch's global generator, which the runner has seeded.

        Raises:
            Exception: A pretrained tensor did not load into the encoder; never a warning.
        """
        raise NotImplementedError

    def fetch(self) -> None:
        """Brings weights and tokenizer to this machine for offline use; what is there is left alone.

        Raises:
            UsageError: They cannot be had.
        """

    def supports(self, output: Output) -> str | None:
        """Returns why the backbone cannot answer with this output, or None; a plan skips such a cell.

        Quick and light. By default a text is refused where no decoder is brought by a `head` of the backbone's own.
        """
        if output.reads == "prompt" and type(self).head is Backbone.head:
            return f"{self.name} brings no decoder, which a text needs"
        return None

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns tokenised or transformed examples; one example may become several rows (windows).

        For `TokenClasses` and `Span` the data carries an `alignment`.
        """
        raise NotImplementedError

    def head(self, output: Output, encoder: Encoder) -> Head | None:
        """Returns a new head for this output; override it to bring a pretrained decoder.

        None, the default, stands for the output's own head or tlbench's for outputs of its kind.
        """
        return output.head(encoder)
