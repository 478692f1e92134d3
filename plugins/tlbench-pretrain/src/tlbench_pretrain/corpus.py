"""Corpora: a text file or a folder of .txt files with a document on each line, or images; pinned by a digest."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tlbench import DataError, Example, Examples, ImageFile, UsageError
from tlbench.catalog.data_roots import DATA_VARIABLE, data_roots
from tlbench.catalog.package_files import sha256_of
from tlbench.contracts.untrusted.regular_files import links_inside, read_regular_file, reason_of

SUFFIX = ".txt"
TOKENS_A_WORD = 1.5
"""About the number of tokens that a word is divided into; documents are cut into rows by it."""
_MOST_BYTES = 8 * 2**30
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def pinned_corpus(text: str) -> str:
    """Returns "<path>@<digest>" of a corpus; `text` is a path, with or without "@<digest>".

    A relative path is looked for below the folders of `TLBENCH_DATA` and then in the working directory. The path of a
    corpus that is not on this machine is returned as it is.

    Raises:
        UsageError: The corpus has changed since it was pinned.
    """
    path, digest = _divided(text)
    place = _located(path)
    if place is None or not _files(place):
        return text
    current = _digest(place)
    if digest and digest != current:
        raise UsageError(f"dapt: the digest of {path} is now {current}; drop @{digest} to use it as it is")
    return f"{path}@{current}"


def why_no_corpus(text: str) -> str | None:
    """Returns why a corpus cannot be read and what to do, or None if it can."""
    if not text:
        return "dapt needs a corpus: name a text file or a folder of them, as in dapt[corpus=reviews.txt]"
    path, _ = _divided(text)
    place = _located(path)
    if place is None:
        return f"dapt: the corpus {path} is not here: give its path, absolute or below a folder of {DATA_VARIABLE}"
    return None if _files(place) else f"dapt: the folder {path} has no {SUFFIX} file"


def corpus_examples(text: str, longest: int | None, *, words: bool, pairs: bool, seed: int) -> Examples:
    """Returns the documents of a corpus as unlabelled examples.

    Args:
        text: The pinned corpus.
        longest: The number of tokens of the longest row, by which longer documents are divided; None for any.
        words: Whether an input is a tuple of words instead of a text.
        pairs: Whether the inputs are two sentences; the target is then 1 if the second follows the first, else 0.
        seed: The seed of the pairs.

    Raises:
        UsageError: The corpus is missing or has changed.
        DataError: A file is no UTF-8 text, or there are too few sentences for pairs.
    """
    if reason := why_no_corpus(text):
        raise UsageError(reason)
    # Compares the digest once more, in the worker that reads the text.
    pinned_corpus(text)
    place = _located(_divided(text)[0])
    assert place is not None
    documents = [line for file in _files(place) for line in _lines(file)]
    if pairs:
        return Examples(
            Example(str(number), texts, target)
            for number, (texts, target) in enumerate(sentence_pairs(documents, seed))
        )
    size = None if longest is None else max(1, int(longest / TOKENS_A_WORD))
    pieces = [piece for document in documents for piece in _pieces(document, size)]
    return Examples(
        Example(str(number), (tuple(piece.split()) if words else piece,)) for number, piece in enumerate(pieces)
    )


def image_examples(text: str) -> tuple[str, Examples]:
    """Returns the pinned name of a folder of images, and its images, with those of folders inside, as examples.

    Raises:
        UsageError: There is no such folder, or it has no image.
        DataError: A file is no image that can be read.
    """
    place = _located(text)
    if place is None or not place.is_dir():
        raise UsageError(f"{text}: no such folder of images")
    files = sorted(file for file in place.rglob("*") if file.suffix.lower() in ImageFile.suffixes)
    if not files:
        raise UsageError(f"{text}: no image in this folder")
    images = [ImageFile.read(file, sha256_of(file)[:16]) for file in files]
    examples = Examples(Example(str(number), (image,)) for number, image in enumerate(images))
    return f"{text}@{examples.fingerprint[:12]}", examples


def sentence_pairs(documents: Sequence[str], seed: int) -> list[tuple[tuple[str, str], int]]:
    """Returns, for each sentence that another follows, a pair with it (1) or with a random sentence (0), half of each.

    A sentence is followed by the next one of its document; where each document is one sentence, by the next document
    (Devlin et al. 2019, section 3.1).

    Raises:
        DataError: There are fewer than three sentences.
    """
    divided = [[one for one in _SENTENCE_END.split(document) if one] for document in documents]
    if all(len(sentences) < 2 for sentences in divided):
        divided = [[one for sentences in divided for one in sentences]]
    everything = [one for sentences in divided for one in sentences]
    if len(everything) < 3:
        raise DataError("dapt[nsp=true]: the corpus has fewer than three sentences")
    draw = random.Random(seed)
    pairs: list[tuple[tuple[str, str], int]] = []
    for sentences in divided:
        for first, second in pairwise(sentences):
            follows = draw.random() < 0.5
            pairs.append(((first, second if follows else draw.choice(everything)), int(follows)))
    return pairs


def _divided(text: str) -> tuple[str, str]:
    """Returns the path and the digest, which may be empty."""
    path, at, digest = text.rpartition("@")
    # A path may itself have an @.
    return (path, digest) if at and re.fullmatch("[0-9a-f]{12}", digest) else (text, "")


def _located(text: str) -> Path | None:
    path = Path(text).expanduser()
    # An absolute path replaces the folder before it.
    return next((place for root in (*data_roots(), Path()) if text and (place := root / path).exists()), None)


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    root = links_inside(place).resolve()
    files = sorted(file for file in place.rglob(f"*{SUFFIX}") if file.is_file())
    if outside := [file for file in files if not file.resolve().is_relative_to(root)]:
        raise UsageError(f"dapt: {outside[0]} is a link that leads out of the folder: copy the file here")
    return files


def _digest(place: Path) -> str:
    """Returns twelve hex digits of a digest of the names and contents of the files."""
    digest = hashlib.sha256()
    for file in _files(place):
        # A file is the same corpus wherever it lies.
        name = file.relative_to(place).as_posix() if place.is_dir() else ""
        try:
            digest.update(f"{name}\0{sha256_of(file)}\n".encode())
        except OSError as error:
            raise UsageError(f"dapt: {file}: {reason_of(error)}") from None
    return digest.hexdigest()[:12]


def _lines(file: Path) -> list[str]:
    try:
        text = read_regular_file(file, _MOST_BYTES, links="followed").decode()
        return [line for raw in text.split("\n") if (line := raw.strip())]
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: no UTF-8 text at byte {error.start:,}: convert the file") from error
    except OSError as error:
        raise DataError(f"{file}: {reason_of(error)}") from None


def _pieces(document: str, size: int | None) -> list[str]:
    """Returns the document in pieces of at most `size` words."""
    words = document.split()
    if size is None or len(words) <= size:
        return [document]
    return [" ".join(words[first : first + size]) for first in range(0, len(words), size)]
