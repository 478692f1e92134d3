"""The checks of words and spans are shown backbones that break them, and one that refuses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from tlbench.contracts.errors import PluginError
from tlbench.testing.conformance import BackboneConformance
from tlbench.testing.toys import ToyBackbone


@dataclasses.dataclass(frozen=True)
class Misaligned(ToyBackbone):
    """The toy backbone with another alignment."""

    change: Callable[[np.ndarray], np.ndarray] | None = None

    def featurize(self, examples, output):
        data = super().featurize(examples, output)
        if data.alignment is None:
            return data
        return dataclasses.replace(data, alignment=[self.change(row) for row in data.alignment])


def check_with(change):
    return type("Check", (BackboneConformance,), {"backbone": Misaligned(change=change)})()


def lost(row):
    """The first word begins nowhere."""
    return np.where(row == 0, -1, row)


def repeated(row):
    """The last position belongs to the first word once more."""
    return np.array([*row[:-1], 0])


def shifted(row):
    """Every character lies one further on than it does."""
    return np.where(row >= 0, row + 1, row)


def backwards(row):
    """Tokens end before they begin."""
    return row[:, ::-1]


@pytest.mark.parametrize(
    ("check", "change", "message"),
    [
        ("test_word_alignment", lost, "1 words, 0 begin"),
        ("test_word_alignment", repeated, "begins twice"),
        ("test_span_alignment", shifted, r"beyond the context|and not \["),
        ("test_span_alignment", backwards, "ends before it begins"),
    ],
)
def test_an_alignment_that_is_wrong_is_caught(check, change, message):
    with pytest.raises(AssertionError, match=message):
        getattr(check_with(change), check)()
    getattr(check_with(lambda row: row), check)()


def test_a_backbone_without_an_alignment_is_caught():
    class Bare(ToyBackbone):
        def featurize(self, examples, output):
            return dataclasses.replace(super().featurize(examples, output), alignment=None)

    check = type("Check", (BackboneConformance,), {"backbone": Bare()})()
    for name in ("test_word_alignment", "test_span_alignment"):
        with pytest.raises(AssertionError, match="there is no alignment"):
            getattr(check, name)()


def test_a_backbone_that_refuses_is_passed_over_with_its_reason():
    class Refusing(ToyBackbone):
        def featurize(self, examples, output):
            raise PluginError("whole texts alone")

    check = type("Check", (BackboneConformance,), {"backbone": Refusing()})()
    with pytest.raises(pytest.skip.Exception, match="whole texts alone"):
        check.test_word_alignment()
