"""The forms in which a predictor describes what it computes, so that it can be exported without tlbench."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tlbench.modeling.encoder import Encoder

Pairing = Literal["joined", "separate"]
"""How two texts are read: in one row, or as two embeddings of length 1, with features (u, v, |u - v|, u * v, u . v)."""


@dataclass(frozen=True)
class DenseHead:
    """Linear layers on features, with an activation function between them."""

    layers: tuple[tuple[Tensor, Tensor], ...]
    """The weight (out, in) and bias (out,) of each layer; the last one gives logits, or numbers in the task's units."""
    activation: str | None = None
    """"gelu" or "relu", after every layer but the last."""


@dataclass(frozen=True)
class NearestHead:
    """The nearest of stored rows by cosine, weighted by exp(cosine / temperature)."""

    units: Tensor
    """(N, D), each of length 1."""
    targets: Tensor
    """(N,): class indices, int64, or numbers, fp64."""
    k: int
    temperature: float


@dataclass(frozen=True)
class FeatureModel:
    """A head on the output of a backbone's encoder: on its readout, on its words, or on the positions of a context."""

    encoder: Encoder
    head: DenseHead | NearestHead
    pairs: Pairing = "joined"
    may_be_empty: bool = False
    """For spans: whether a question may have no answer, which is compared with the first position's logits."""
    adapter: Adapter | None = None
    """The adapter in the encoder, if it is to be kept apart from the backbone's weights."""


@dataclass(frozen=True)
class Adapter:
    """An adapter in an encoder, in the format of the library that put it there."""

    write: Callable[[Path], None]
    """Writes the adapter's files into a folder."""
    remove: Callable[[], nn.Module]
    """Takes the adapter out of the encoder, and returns the library's module without it."""


@dataclass(frozen=True)
class WritingModel:
    """An encoder and a decoder that generates texts."""

    encoder: Encoder
    head: Any
    """The head of the same plugin as the backbone, which knows its decoder."""


@dataclass(frozen=True)
class Program:
    """A model without a backbone: a script, and what it reads."""

    script: Path
    """A Python file without imports of tlbench, copied as `model.py`; see `ExportedFiles.script`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Values that JSON can represent; the script gets them."""
    arrays: Mapping[str, Tensor] = field(default_factory=dict)
    """Written to `model.safetensors`."""
    requirements: tuple[str, ...] = ()
    """Distributions that the script imports, beside NumPy and safetensors."""
    decoded: bool = False
    """Whether the script returns predictions, for each row the value and its probabilities or None, and not logits."""
    modules: tuple[Path, ...] = ()
    """Further Python files without imports, of tlbench or of each other, that lie beside the script and are copied."""


@dataclass(frozen=True)
class StagePoint:
    """Where the output of a stage is found in a library's module."""

    path: str
    """The path of a module, whose input it is; empty for the output of the whole network."""
    call: int = 0
    """How many calls of that module come before in a pass."""
    argument: int | str = 0
    """The position or the name of the argument."""


@dataclass(frozen=True)
class MapsModel:
    """A head of a plugin on the outputs of several stages of an image encoder.

    `load(folder, settings, maps, modules)` of the head's script returns a function from rows of one RGB image to
    predictions: a dict for each row, whose "text" is the prediction as it is stored. `maps` takes such rows, with
    images of any size, which the backbone's script resizes without cropping, and returns the output (N, ...) of each
    stage.
    `modules` are the program's further files by their names.
    """

    encoder: Encoder
    points: tuple[StagePoint, ...]
    head: Program
    """Copied as `head.py`; its arrays are written to `head.safetensors`."""


Exportable: TypeAlias = FeatureModel | WritingModel | Program | MapsModel


@dataclass(frozen=True)
class ExportedFiles:
    """What a backbone's `export` wrote, beside the files themselves."""

    script: Path
    """A Python file without imports of tlbench, which is copied as `model.py`.

    If its name ends in `script.py` and it has the line `DATA_ONLY = True`, `tlbench predict FOLDER` runs the installed
    file with folders from elsewhere: then it must import and call nothing that a folder names, and read no pickles.
    Its function `load(folder, settings)` returns a function of rows, which are lists of the inputs of an example, with
    images as PIL images in RGB. That returns one entry per row: features or, if the head is included, logits, (N, D) or
    (N, K); for words a list of (words, D or K), with NaN for a word without a position; for spans a list of lists of
    windows, ((T, D or 2), (T, 2) characters in the context, or -1); for texts the texts. For a `MapsModel` it returns
    two things: the network, and a function of rows that returns its last output, one entry per row."""
    settings: Mapping[str, Any]
    """Values that JSON can represent; the script gets them."""
    includes_head: bool
    """Whether the library's own class computes the logits; otherwise the head is written beside it."""
    library: str
    """The distribution whose own call loads the folder, such as "transformers"."""
    loading: str
    """Lines of Python that load the folder by the library's own call; `{folder}` stands for its path."""
    requirements: tuple[str, ...]
    """Distributions that the script imports, beside NumPy and safetensors."""
    remark: str = ""
    """What the library's own call returns, in a sentence; empty for the logits if the head is included, or else for the
    encoder alone."""
