"""The lexicons and the inflection of their words."""

from __future__ import annotations

import re
from itertools import combinations
from random import Random
from typing import Any

import pytest
from tlbench_glue.lite.lexicon import FUNCTION, SPLITS, Words, article, lexicon, noun, sentence, verb


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for item in (value.values() if isinstance(value, dict) else value) for text in strings(item)]


def forms(split: str) -> set[str]:
    """Returns every form of every word of a lexicon, kinds included, inflected as a noun, as a verb and not at all."""
    table = lexicon(split)
    entries = [entry for text in strings(table) for entry in text.split()]
    entries += [kind for group in table["kinds"].values() for kind in group]
    found = set(re.findall(r"[a-z]+", " ".join(entries).lower()))
    nouns = {"people", "things", "animals", "male", "female", "same_people", "same_things"}
    for key, value in table.items():
        for entry in (e for text in strings(value) for e in text.split()):
            if key in nouns or key == "kinds":
                found.add(noun(entry).many)
            elif key in {"social", "handle", "perceive", "deeds", "alone", "give", "know", "claim"}:
                v = verb(entry)
                found |= {v.s, v.past, v.done, v.ing}
    return found


def test_the_lexicons_share_no_form_of_a_content_word():
    found = {split: forms(split) - FUNCTION for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert found[one] & found[other] == set()


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("hire", ("hires", "hired", "hired", "hiring")),
        ("carry", ("carries", "carried", "carried", "carrying")),
        ("annoy", ("annoys", "annoyed", "annoyed", "annoying")),
        ("see/saw/seen", ("sees", "saw", "seen", "seeing")),
        ("grin/grinned/grinned/grinning", ("grins", "grinned", "grinned", "grinning")),
        ("smash", ("smashes", "smashed", "smashed", "smashing")),
    ],
)
def test_verbs(entry, expected):
    v = verb(entry)
    assert (v.s, v.past, v.done, v.ing) == expected


@pytest.mark.parametrize(
    ("entry", "many"),
    [("dog", "dogs"), ("box", "boxes"), ("lady", "ladies"), ("toy", "toys"), ("wolf/wolves", "wolves")],
)
def test_plurals(entry, many):
    assert noun(entry).many == many


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("apple", "an apple"),
        ("red apple", "a red apple"),
        ("union", "a union"),
        ("hour", "an hour"),
        ("umbrella", "an umbrella"),
    ],
)
def test_articles(phrase, expected):
    assert article(phrase) == expected


def test_sentences():
    assert sentence("who left?") == "Who left?"
    assert sentence("John left") == "John left."


def test_every_draw_comes_from_the_generator():
    one, other = (Words("test", Random(5)) for _ in range(2))
    for _ in range(20):
        assert one.names(3) == other.names(3)
        assert one.kind("animals", "foods") == other.kind("animals", "foods")
        assert one.synonyms("same_social") == other.synonyms("same_social")
        assert one.verdict() == other.verdict()


def test_numbers_come_smaller_first():
    values = {n: i for i, n in enumerate("five seven ten twelve thirty sixty".split())}
    w = Words("test", Random(0))
    assert all(values[low] < values[high] for low, high in (w.numbers() for _ in range(50)))
