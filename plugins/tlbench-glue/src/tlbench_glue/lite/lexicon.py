"""Three lexicons without common content words, one per split, and English inflection.

Content words are in `lexicon/<split>.toml`; the function words below are shared by all splits.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

FUNCTION = frozenset(
    """
    a an the this that these those some any no every each all both many few most several another other one
    i me my we us our you it its they them their he him his she her hers
    himself herself themselves itself myself who whom whose what which when where why how whether if
    is are was were be been being am has have had having do does did will would can could may might must should
    not never nor neither either or and but so yet although though because while until unless than as such
    in on at by for from to of with without near behind beside before after into about under over between against
    there here then very quite rather really truly far too only even ever already just still also almost hardly
    more most less least much anything anyone anybody nothing nobody everything everyone something someone
    exactly up out first off again same own t s
    true truth course fact instead so indeed soon now well fewer once
    meant opposite others through told your
    """.split()
)
"""Function words, which all splits share."""


@dataclass(frozen=True)
class Noun:
    """A countable noun."""

    one: str
    many: str

    def a(self, adjective: str = "") -> str:
        """Returns the noun with its indefinite article and an optional adjective."""
        return article(f"{adjective} {self.one}".strip())


@dataclass(frozen=True)
class Verb:
    """A verb in its five forms, as in "see, sees, saw, seen, seeing"."""

    base: str
    s: str
    past: str
    done: str
    ing: str


@dataclass(frozen=True)
class Person:
    """A first name and its gender."""

    name: str
    female: bool

    @property
    def self(self) -> str:
        """The reflexive pronoun, "herself" or "himself"."""
        return "herself" if self.female else "himself"


def article(phrase: str) -> str:
    """Returns the phrase with "a" or "an" before it."""
    # By sound: "a unicorn", "an hour".
    return f"an {phrase}" if re.match(r"(?!uni|use|one|eu)[aeiou]|hour|honest", phrase) else f"a {phrase}"


def sentence(text: str) -> str:
    """Returns the text with a capital first letter and a final full stop, if it has no end mark."""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".?!" else f"{text}."


@cache
def noun(entry: str) -> Noun:
    """Returns the noun of a lexicon entry such as "dog" or "wolf/wolves"."""
    one, _, many = entry.partition("/")
    return Noun(one, many or _plural(one))


@cache
def verb(entry: str) -> Verb:
    """Returns the verb of a lexicon entry such as "paint" or "see/saw/seen/seeing"; missing forms are regular."""
    forms = entry.split("/")
    base = forms[0]
    past = forms[1] if len(forms) > 1 else _past(base)
    done = forms[2] if len(forms) > 2 else past
    # A silent e is dropped (bake, baking), but not that of "see" or "agree".
    ing = forms[3] if len(forms) > 3 else (base[:-1] if re.search(r"[^eo]e$", base) else base) + "ing"
    # The third person takes the same endings as a plural.
    return Verb(base, _plural(base), past, done, ing)


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    # Sibilants take an extra syllable: box, boxes.
    return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")


def _past(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    return word + ("d" if word.endswith("e") else "ed")


@cache
def lexicon(split: Split) -> Mapping[str, Any]:
    """Returns the parsed lexicon of a split."""
    return tomllib.loads(files(__package__).joinpath("lexicon", f"{split}.toml").read_text(encoding="utf-8"))


class Words:
    """Draws random words of one split's lexicon."""

    def __init__(self, split: Split, rng: Random) -> None:
        # All randomness is from this generator, in a fixed order of calls: one more call changes every later example.
        self.rng = rng
        self.form: list[str] = []
        """The choices of sentence form since a caller last cleared the list: together they are a template."""
        self._table = lexicon(split)
        self._entries: dict[str, list[str]] = {}

    def pick(self, options: Sequence[Any]) -> Any:
        """Returns one of the options, a choice of words."""
        return options[self.rng.randrange(len(options))]

    def choose(self, *options: str) -> str:
        """Returns one of the options, a choice of sentence form, and notes it in `form`."""
        option = options[self.rng.randrange(len(options))]
        self.form.append(option)
        return option

    def chance(self, p: float) -> bool:
        """Returns True with this probability."""
        return self.rng.random() < p

    def order(self, *items: Any) -> list[Any]:
        """Returns the items in random order."""
        # Not `shuffle`, which would change the caller's list.
        return self.rng.sample(items, len(items))

    def entries(self, key: str) -> list[str]:
        """Returns the raw entries of a list; a dotted key such as "kinds.foods" selects a list in a nested table."""
        if key not in self._entries:
            value: Any = self._table
            for part in key.split("."):
                value = value[part]
            # Lists are written as one text of words, or as TOML lists where entries have several words.
            self._entries[key] = value.split() if isinstance(value, str) else list(value)
        return self._entries[key]

    def text(self, key: str) -> str:
        """Returns a random raw entry."""
        return str(self.pick(self.entries(key)))

    def texts(self, key: str, n: int) -> list[str]:
        """Returns n different raw entries."""
        return self.rng.sample(self.entries(key), n)

    def noun(self, key: str) -> Noun:
        """Returns a random noun."""
        return noun(self.text(key))

    def nouns(self, key: str, n: int) -> list[Noun]:
        """Returns n different nouns."""
        return [noun(entry) for entry in self.texts(key, n)]

    def verb(self, key: str) -> Verb:
        """Returns a random verb."""
        return verb(self.text(key))

    def verbs(self, key: str, n: int) -> list[Verb]:
        """Returns n different verbs."""
        return [verb(entry) for entry in self.texts(key, n)]

    def person(self, female: bool | None = None) -> Person:
        """Returns a random first name, of either gender or the given one."""
        female = self.chance(0.5) if female is None else female
        return Person(self.text("women" if female else "men"), female)

    def names(self, n: int) -> list[str]:
        """Returns n different first names."""
        return self.rng.sample(self.entries("men") + self.entries("women"), n)

    def number(self) -> str:
        """Returns a random number word."""
        return self.text("numbers")

    def numbers(self) -> tuple[str, str]:
        """Returns two number words, the smaller first."""
        entries = self.entries("numbers")
        # By position, since the entries are sorted by size and not alphabetically.
        low, high = sorted(self.rng.sample(range(len(entries)), 2))
        return entries[low], entries[high]

    def kind(self, *groups: str) -> tuple[str, Noun, list[Noun]]:
        """Returns a random group such as "animals", the noun for a kind in it, and two different nouns of that kind."""
        options = [(group, name) for group in groups for name in self._table["kinds"].get(group, {})]
        group, name = self.pick(options)
        return group, noun(name), self.nouns(f"kinds.{group}.{name}", 2)

    def two_kinds(self, *groups: str) -> tuple[tuple[Noun, Noun], tuple[Noun, Noun]]:
        """Returns two different kinds in the groups, each as the noun for it and a noun of that kind."""
        options = [(group, name) for group in groups for name in self._table["kinds"].get(group, {})]
        one, other = ((noun(name), self.noun(f"kinds.{group}.{name}")) for group, name in self.rng.sample(options, 2))
        return one, other

    def synonyms(self, key: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """Returns the raw entries of two pairs of synonyms, each pair in random order."""
        a, b = (self.order(*pair.split()) for pair in self.texts(key, 2))
        return (a[0], a[1]), (b[0], b[1])

    def implied(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Returns two pairs of a positive and a negative clause that imply a verdict without evaluative words."""
        (a, b), (c, d) = self.rng.sample(self._table["verdicts"]["implied"], 2)
        return (a, b), (c, d)

    def verdict(self) -> tuple[str, str, str, str]:
        """Returns a subject to judge, a part of that subject, and a positive and a negative adjective that fit both."""
        domain = self.pick(list(self._table["verdicts"]["domains"].values()))
        subject, part, good, bad = (self.pick(domain[k].split()) for k in ("subjects", "parts", "good", "bad"))
        return subject, part, good, bad
