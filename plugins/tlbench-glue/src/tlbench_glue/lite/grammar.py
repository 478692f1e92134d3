"""Sentence forms that all generated tasks share: determiners, tenses, adverbials of time, and words around a clause.

Every choice here is one of form. The choices of an example together are its template; see `Words.choose`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlbench_glue.lite.lexicon import Verb, Words

SURROUNDINGS = {
    "bare": ("{}",),
    "opened": ("of course, {}", "in fact, {}", "after all, {}", "indeed, {}"),
    "closed": ("{}, of course", "{}, in fact", "{}, after all", "{}, indeed"),
    "embedded": ("it is true that {}", "it is a fact that {}", "the truth is that {}", "the fact is that {}"),
}
"""Words around a statement that leave its meaning, truth and grammar as they are."""

QUESTIONS = ("{}", "and {}", "so {}", "but {}", "then {}", "well, {}", "now, {}", "again, {}")
"""Words around a question."""

DETERMINERS = ("the", "my", "our", "your", "their")
"""Determiners of a noun in singular or plural."""

NEAR = ("near", "behind", "beside")
"""Prepositions of place."""

MODAL = ("must", "may")
PLACES = ("undated", "date first", "date last")
"""Where an adverbial of time stands."""


@dataclass(frozen=True)
class Tense:
    """A tense of a transitive or intransitive verb in both voices; no form but the plain passive shows number."""

    active: str
    passive: str
    negated: str
    """The verb after "but", as in "cleaned but did not weigh"."""
    cleft: str
    """How a cleft sentence with this tense begins."""
    dated: bool
    """Whether the lexicon's adverbials of time, such as "yesterday", go with it."""

    def does(self, verb: Verb) -> str:
        """Returns the verb in the active voice."""
        return self.active.format(v=verb)

    def is_done(self, verb: Verb, plural: bool = False) -> str:
        """Returns the verb in the passive voice."""
        return self.passive.format(v=verb, was="were" if plural else "was")

    def does_not(self, verb: Verb) -> str:
        """Returns the verb after one in the active voice and "but"."""
        return self.negated.format(v=verb)


TENSES = {
    "past": Tense("{v.past}", "{was} {v.done}", "did not {v.base}", "it was", True),
    "must": Tense("must have {v.done}", "must have been {v.done}", "not {v.done}", "it was", True),
    "may": Tense("may have {v.done}", "may have been {v.done}", "not {v.done}", "it was", True),
    "past perfect": Tense("had {v.done}", "had been {v.done}", "not {v.done}", "it was", True),
    "future": Tense("will {v.base}", "will be {v.done}", "not {v.base}", "it is", False),
}


def surroundings(w: Words) -> str:
    """Returns words around a statement, which stands for "{}" in them; their position is a choice of form.

    Half of the statements have none, so that what decides is not drowned.
    """
    return str(w.pick(SURROUNDINGS[w.choose("bare", "bare", *SURROUNDINGS)]))


def surround(w: Words, *statements: str) -> list[str]:
    """Returns the statements within the same words, such as "in fact, ..."."""
    around = surroundings(w)
    # Not `format`: statements may have slots of their own.
    return [around.replace("{}", statement) for statement in statements]


def ask(w: Words, *questions: str) -> list[str]:
    """Returns the questions after the same word, such as "so what ...", or after none."""
    around = w.choose(*QUESTIONS)
    return [around.replace("{}", question) for question in questions]


def determiner(w: Words) -> str:
    """Returns a determiner for a noun in singular or plural."""
    return str(w.pick(DETERMINERS))


def tense(w: Words, dated: bool = False, modal: bool = True) -> Tense:
    """Returns a tense.

    Args:
        w: Where it comes from.
        dated: Only tenses that adverbials of time go with.
        modal: Also "may" and "must".
    """
    names = [name for name, tense in TENSES.items() if tense.dated or not dated]
    return TENSES[w.choose(*(name for name in names if modal or name not in MODAL))]


def date(w: Words, *statements: str, places: Sequence[str] = PLACES) -> list[str]:
    """Returns the statements with the same adverbial of time, at one of the places."""
    place, when = w.choose(*places), w.text("times")
    if place == "date first":
        return [f"{when}, {statement}" for statement in statements]
    return [f"{statement} {when}" if place == "date last" else statement for statement in statements]
