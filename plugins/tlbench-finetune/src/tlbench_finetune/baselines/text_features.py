"""TF-IDF features of texts and of pairs of texts: words, pairs of words, and parts of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench import Examples

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Floats: TypeAlias = NDArray[np.float32]
Unit = Literal["words", "characters"]
UNITS: tuple[Unit, ...] = ("words", "characters")
MIN_TEXTS = 2
"""The least number of training texts that an n-gram must occur in."""
OVERLAPS = 5
"""The number of features that compare the two texts of a pair."""


@dataclass(frozen=True, eq=False)
class NGrams:
    """The n-grams of one unit that were found in the training texts, and their inverse document frequencies."""

    unit: Unit
    grams: tuple[str, ...]
    idf: Floats
    """(grams,)"""

    @classmethod
    def fit(cls, unit: Unit, texts: Sequence[str]) -> tuple[NGrams, csr_matrix]:
        """Returns the n-grams that occur in at least `MIN_TEXTS` of the texts, and their `matrix` for these texts."""
        counter = _counter(unit)
        analyze = counter.build_analyzer()
        # scikit-learn raises where no text has any n-gram, as with texts of punctuation alone.
        if not any(map(analyze, texts)):
            grams = cls(unit, (), np.zeros(0, dtype=np.float32))
            return grams, grams.matrix(texts)
        counts = counter.fit_transform(texts)
        present = np.bincount(counts.indices, minlength=counts.shape[1])
        kept = np.flatnonzero(present >= MIN_TEXTS)
        # Smoothed as in scikit-learn's TfidfTransformer: as if one more text had every n-gram.
        idf = (np.log((1 + len(texts)) / (1 + present[kept])) + 1).astype(np.float32)
        grams = cls(unit, tuple(counter.get_feature_names_out()[kept].tolist()), idf)
        return grams, grams._weighted(counts[:, kept]) if len(kept) else grams.matrix(texts)

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """Returns the TF-IDF of each text, rows of length 1, (N, grams); term frequencies are 1 + log(count)."""
        from scipy.sparse import csr_matrix

        if not self.grams:
            # scikit-learn refuses an empty vocabulary.
            return csr_matrix((len(texts), 0), dtype=np.float32)
        return self._weighted(_counter(self.unit, self.grams).transform(texts))

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        from scipy.sparse import csr_matrix, diags_array
        from sklearn.preprocessing import normalize

        frequencies = counts.astype(np.float32)
        frequencies.data = 1 + np.log(frequencies.data)
        return csr_matrix(normalize(frequencies @ diags_array(self.idf)), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """TF-IDF of word 1-2-grams and of character 2-5-grams within words.

    A pair of texts has the features of each, and five that compare them: the cosines of words and of characters, the
    Jaccard index of their word n-grams, and for each text the share of its word n-grams that the other has.
    """

    parts: tuple[NGrams, ...]
    inputs: int
    """The number of texts of an example."""

    @classmethod
    def fit(cls, examples: Examples) -> tuple[TextFeatures, csr_matrix]:
        """Returns the features found in the training examples, and their `matrix` for these examples."""
        inputs, count = len(examples[0].inputs), len(examples)
        texts = [example.inputs[place] for place in range(inputs) for example in examples]
        fitted = [NGrams.fit(unit, texts) for unit in UNITS]
        blocks = [[matrix[place * count : (place + 1) * count] for _, matrix in fitted] for place in range(inputs)]
        return cls(tuple(grams for grams, _ in fitted), inputs), _side_by_side(blocks)

    requirements: ClassVar[tuple[str, ...]] = ()

    @property
    def width(self) -> int:
        """The number of features."""
        return width_of([len(part.grams) for part in self.parts], self.inputs)

    def matrix(self, examples: Examples) -> csr_matrix:
        """Returns the features of each example, (N, width)."""
        places = [[example.inputs[place] for example in examples] for place in range(self.inputs)]
        return _side_by_side([[part.matrix(texts) for part in self.parts] for texts in places])

    def settings(self) -> dict[str, Any]:
        """Returns the n-grams of each unit, and the number of texts of an example."""
        return {"inputs": self.inputs, **{part.unit: list(part.grams) for part in self.parts}}

    def arrays(self) -> dict[str, Floats]:
        """Returns the inverse document frequencies of each unit."""
        return {f"{part.unit}.idf": part.idf for part in self.parts}


def width_of(grams: Sequence[int], inputs: int) -> int:
    """Returns the number of features of an example of `inputs` texts; `grams` counts the n-grams of each unit."""
    return sum(grams) * inputs + (OVERLAPS if inputs == 2 else 0)


def _counter(unit: Unit, grams: tuple[str, ...] | None = None) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    if unit == "characters":
        return CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), vocabulary=grams, dtype=np.int32)
    # scikit-learn's own pattern leaves out words of one character, such as "I" and digits.
    pattern = r"(?u)\b\w+\b"
    return CountVectorizer(token_pattern=pattern, ngram_range=(1, 2), vocabulary=grams, dtype=np.int32)


def _side_by_side(blocks: Sequence[Sequence[csr_matrix]]) -> csr_matrix:
    """Concatenates the features of all texts and units, `blocks[text][unit]`, and for pairs the overlaps."""
    from scipy.sparse import csr_matrix, hstack

    columns = list(chain.from_iterable(blocks))
    if len(blocks) == 2:
        columns.append(csr_matrix(_overlaps(*blocks)))
    return csr_matrix(hstack(columns, format="csr"), dtype=np.float32)


def _overlaps(first: Sequence[csr_matrix], second: Sequence[csr_matrix]) -> Floats:
    """Returns the features that compare two texts, (N, OVERLAPS), all from 0 to 1; 0 for texts without n-grams."""
    # Rows have length 1, so their products are cosines.
    cosines = [one.multiply(other).sum(axis=1) for one, other in zip(first, second, strict=True)]
    words, others = (first[0] > 0).astype(np.float32), (second[0] > 0).astype(np.float32)
    both = np.asarray(words.multiply(others).sum(axis=1), dtype=np.float32).ravel()
    sizes = [np.asarray(one.sum(axis=1), dtype=np.float32).ravel() for one in (words, others)]
    shares = [both / np.maximum(total, 1) for total in (sizes[0] + sizes[1] - both, *sizes)]
    return np.stack([*(np.asarray(one, dtype=np.float32).ravel() for one in cosines), *shares], axis=1)
