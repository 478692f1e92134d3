"""Featurizes tokenised sentences as rows of token ids, aligned with the first token of each word."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlbench import Examples, PluginError
from tlbench.modeling.data import Data
from tlbench_hf.text.tokenizing import load_tokenizer
from tlbench_hf.text.windows import Windows, windowed_data, windows


def featurize(examples: Examples, folder: Path, max_length: int) -> Data:
    """Returns rows of tokens; the alignment is a word's index at the word's first token and -1 at all other tokens.

    If overlapping rows contain the same word, only one of them has the word's index. The words of a sentence are joined
    by spaces and tokenised as one text, because byte-level vocabularies treat the space as part of the word and were
    trained on such texts.

    Raises:
        PluginError: The inputs are not the words of one sentence.
        UsageError: The folder has no fast tokenizer, or `max_length` has no room for a word.
    """
    if not all(len(e.inputs) == 1 and isinstance(e.inputs[0], tuple | list) for e in examples):
        raise PluginError("tlbench-hf takes a sentence as one tuple of words per example, as inputs=(('a', 'word'),)")
    tokenizer = load_tokenizer(folder)
    length = tokenizer.length(max_length)
    sentences = [example.inputs[0] for example in examples]

    def build_arrays() -> dict[str, np.ndarray]:
        split = windows(tokenizer, [" ".join(words) for words in sentences], None, length)
        return split.arrays(_first_tokens(split, sentences), [False] * len(sentences))

    fingerprint = f"words:{tokenizer.identity}:{length}:{int(tokenizer.types)}"
    return windowed_data(examples, tokenizer, fingerprint, build_arrays)


def _first_tokens(split: Windows, sentences: list[tuple[str, ...]]) -> np.ndarray:
    """Returns (tokens,) int32: the index of the word that begins at a token, -1 elsewhere.

    A word that several windows contain is aligned in the window where it is farthest from the nearer end, because the
    encoder sees most of the word's context there.
    """
    counts = np.array([len(words) for words in sentences], dtype=np.int64)
    first_words = np.cumsum(counts) - counts
    sizes = np.array([len(word) + 1 for words in sentences for word in words], dtype=np.int64)
    # Character positions count through all sentences as if they were one text, with a space after each sentence. A word
    # includes the space before it, as tokens of byte-level vocabularies do.
    word_ends = np.cumsum(sizes)
    text_starts = np.concatenate([[0], word_ends])[first_words]

    lengths = split.rows.lengths
    row = np.repeat(np.arange(len(lengths)), lengths)
    position = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    owner = split.owners[row]
    begins = text_starts[owner] + split.offsets[:, 0]
    word = np.searchsorted(word_ends - 1, begins, side="right")
    inside = (split.parts == 0) & (counts[owner] > 0)
    word[~inside] = -1

    # A window may begin inside a word: only the token at the word's earliest character is its first token.
    earliest = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(earliest, word[inside], begins[inside])
    same_as_before = (np.diff(word, prepend=-2) == 0) & (position > 0)
    first = np.flatnonzero(inside & ~same_as_before)
    first = first[begins[first] == earliest[word[first]]]

    # The number of tokens between the word and the nearer end of its window. Candidates are sorted by falling context,
    # so np.unique, which returns the first occurrence of each word, selects the one with the most.
    context = np.minimum(position, lengths[row] - 1 - position)[first]
    order = first[np.lexsort((-context, word[first]))]
    _, chosen = np.unique(word[order], return_index=True)
    alignment = np.full(len(row), -1, dtype=np.int32)
    alignment[order[chosen]] = (word - first_words[owner])[order[chosen]]
    return alignment
