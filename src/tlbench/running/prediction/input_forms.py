"""Turns new rows into a task's inputs, or says why a row cannot be one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tlbench.contracts.errors import DataError, UsageError
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Modality

Columns: TypeAlias = tuple[tuple[str, ...], ...]
"""For each input of a task the columns that it is made of, which are joined by line ends."""
Kind = Literal["text", "words", "image"]
_USUAL: Mapping[tuple[Kind, int], Sequence[tuple[str, ...]]] = {
    ("text", 1): [("text",), ("sentence",), ("source",), ("review",), ("content",), ("question",), ("document",)],
    ("text", 2): [
        ("text1", "text2"), ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"),
        ("question", "context"), ("question", "sentence"), ("query", "passage"),
    ],
    ("words", 1): [("words",), ("tokens",), ("text",), ("sentence",)],
    ("image", 1): [("path",), ("image",), ("file",), ("file_name",), ("filename",)],
}  # fmt: skip
"""Usual names of the columns that hold inputs, by kind and number of inputs."""
_SHOWN = 8
_LARGEST_IMAGE = 2**30
"""Largest file, in bytes, that is read as an image; as a digest of it is taken, it is read whole."""


@dataclass(frozen=True)
class InputForm:
    """The inputs that a task's examples have."""

    kind: Kind
    """Texts, the words of a sentence, or an image."""
    count: int
    """Number of inputs: 2 for pairs of texts, and for a question with its context."""

    @property
    def noun(self) -> str:
        """What one row is, for messages."""
        if self.kind == "text":
            return "a text" if self.count == 1 else "two texts"
        return "a sentence or its list of words" if self.kind == "words" else "the path of an image"


def form_of(modality: Modality, output: Output, inputs: int) -> InputForm:
    """Returns the form of a task's inputs.

    Args:
        modality: The task's modality.
        output: The task's kind of output.
        inputs: Number of inputs of one of its examples.
    """
    if modality == "image":
        return InputForm("image", 1)
    return InputForm("words", 1) if output.reads == "words" else InputForm("text", inputs)


def chosen_columns(form: InputForm, there: Sequence[str], given: Sequence[str] = (), own: Columns = ()) -> Columns:
    """Returns the columns of the inputs: the given ones, else the task's own, else those with usual names.

    A table of one column needs no name.

    Args:
        form: The form of the inputs.
        there: The columns of the table.
        given: Names that the user gave.
        own: The columns of the task's own files.

    Raises:
        UsageError: A given column is not there, or it is unclear which columns are meant.
    """
    listed = ", ".join(there[:_SHOWN]) + (", ..." if len(there) > _SHOWN else "")
    if given:
        if missing := [name for name in given if name not in there]:
            raise UsageError(f"no column {missing[0]!r}; the columns are {listed}")
        if len(given) != form.count:
            raise UsageError(f"{len(given)} columns are given, and the task reads {form.noun}: give {form.count}")
        return tuple((name,) for name in given)
    if own and all(name in there for names in own for name in names):
        return own
    if form.count == 1 and len(there) == 1:
        return ((there[0],),)
    by_name = {name.casefold(): name for name in reversed(there)}
    for names in _USUAL.get((form.kind, form.count), ()):
        if all(name in by_name for name in names):
            return tuple((by_name[name],) for name in names)
    option = "--text COLUMN" if form.count == 1 else "--text twice, in their order"
    raise UsageError(f"it is unclear which columns hold {form.noun}: give {option}; the columns are {listed}")


def inputs_of(form: InputForm, values: Sequence[Sequence[Any]], folder: Path) -> tuple[Any, ...]:
    """Returns the inputs of an example.

    Args:
        form: The form of the inputs.
        values: For each input the values of its columns, in the order of `chosen_columns`.
        folder: What paths of images are relative to.

    Raises:
        DataError: A value is missing, empty or of another type, or is not the path of an image; the message is short.
    """
    if form.kind == "image":
        return (_image(values[0][0], folder),)
    if form.kind == "words":
        return (_words(values[0]),)
    return tuple(_text(parts) for parts in values)


def _text(parts: Sequence[Any]) -> str:
    for part in parts:
        if part is not None and not isinstance(part, str):
            raise DataError(f"{_shown(part)} is not a text")
    text = "\n".join(part.strip() for part in parts if part and part.strip())
    if not text:
        raise DataError("the text is empty")
    return _encodable(text)


def _words(parts: Sequence[Any]) -> tuple[str, ...]:
    value = parts[0]
    words = value if isinstance(value, list | tuple) else _text(parts).split()
    if not words or not all(isinstance(word, str) and word.strip() for word in words):
        raise DataError(f"{_shown(value)} is no list of words")
    return tuple(_encodable(word) for word in words)


def _image(value: Any, folder: Path) -> Any:
    if hasattr(value, "convert"):
        return value  # an image of Pillow, from Python
    if not isinstance(value, str | Path) or not str(value).strip():
        raise DataError(f"{_shown(value)} is not the path of an image")
    path = folder / value
    try:
        if not path.is_file():
            raise DataError("no such file")
        if path.stat().st_size > _LARGEST_IMAGE:
            raise DataError("the file is larger than 1 GiB")
        return ImageFile.read(path, hashlib.sha256(path.read_bytes()).hexdigest()[:16])
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be read: {error}") from None
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from None


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError("the text has bytes that are not UTF-8") from None
    return text


def _shown(value: Any) -> str:
    return "nothing" if value is None else " ".join(repr(value).split())[:60]
