"""`rte-lite`: textual entailment with quantifiers, hypernyms and lexical-overlap traps.

The examples follow HANS (McCoy et al. 2019) and MED (Yanaka et al. 2019). Neither a quantifier nor a template alone
determines the label: a model must know which word is the hypernym, or who did what. Scores are not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Inputs, Pair
from tlbench_glue.lite.lexicon import Noun, Words, sentence, verb
from tlbench_glue.lite.lite_tasks import LiteTask

ENTAILMENT, NOT = 0, 1
NEAR = ("near", "behind", "beside")


def _inputs(premise: str, hypothesis: str) -> Inputs:
    return sentence(premise), sentence(hypothesis)


def _pair(entailed: tuple[str, str], other: tuple[str, str]) -> Pair:
    return (_inputs(*entailed), ENTAILMENT), (_inputs(*other), NOT)


def _direction(upward: bool, narrow: str, wide: str) -> Pair:
    """Returns two examples, narrow to wide and wide to narrow; the first is entailed if `upward`, else the second."""
    return _pair((narrow, wide), (wide, narrow)) if upward else _pair((wide, narrow), (narrow, wide))


def _hypernym(w: Words) -> tuple[str, Noun, Noun]:
    group, wide, (narrow, _) = w.kind("animals", "foods", "things", "people", "plants")
    return group, narrow, wide


def _mono_object(w: Words) -> list[Pair]:
    _, narrow, wide = _hypernym(w)
    who, v = w.person().name, w.verb("perceive").past
    return [_direction(True, f"{who} {v} {narrow.a()}", f"{who} {v} {wide.a()}")]


def _mono_quantifier(w: Words) -> list[Pair]:
    _, narrow, wide = _hypernym(w)
    who, v = w.noun("people"), w.verb("perceive").past
    # Upward-entailing quantifiers keep an inference from narrow to wide, downward-entailing ones reverse it.
    up, down = w.pick([("some", "no"), ("several", "no"), ("many", "few")])
    return [
        _direction(q == up, f"{q} {who.many} {v} {narrow.a()}", f"{q} {who.many} {v} {wide.a()}") for q in (up, down)
    ]


def _mono_subject(w: Words) -> list[Pair]:
    _, wide, (narrow, _) = w.kind("people")
    v = w.verb("alone").past
    # "all" is downward-entailing in its subject, as "no" is.
    up, down = w.pick([("some", "all"), ("several", "no"), ("some", "no")])
    return [_direction(q == up, f"{q} {narrow.many} {v}", f"{q} {wide.many} {v}") for q in (up, down)]


def _numbers(w: Words) -> list[Pair]:
    low, high = w.numbers()
    who, things, v = w.person().name, w.noun("things").many, w.verb("handle").past
    # "at least five" entails "at least three"; "at most three" entails "at most five".
    least, most = f"{who} {v} at least {{}} {things}", f"{who} {v} at most {{}} {things}"
    return [
        _direction(True, least.format(high), least.format(low)),
        _direction(False, most.format(high), most.format(low)),
    ]


def _siblings(w: Words) -> list[Pair]:
    """Test-only frame: plural nouns; the hypothesis has a hypernym or a different noun of the same kind."""
    _, wide, (narrow, other) = w.kind("animals", "foods", "things", "people", "plants")
    who, v, n = w.person().name, w.verb("perceive").past, w.number()
    premise = f"{who} {v} {n} {narrow.many}"
    return [_pair((premise, f"{who} {v} {n} {wide.many}"), (premise, f"{who} {v} {n} {other.many}"))]


def _quantified(w: Words) -> list[Pair]:
    a, b = w.nouns("people", 2)
    v = w.verb("alone").past
    # A stronger quantifier entails a weaker one: all, many, some.
    strong, weak = w.pick([("all", "some"), ("all", "several"), ("both", "some"), ("many", "some"), ("most", "some")])
    premise = f"{strong} {a.many} {v}"
    return [_pair((premise, f"{weak} {a.many} {v}"), (premise, f"{w.pick([weak, strong])} {b.many} {v}"))]


def _joined(w: Words) -> list[Pair]:
    a, b, c = w.names(3)
    v = w.verb("alone").past
    premise = f"{a} and {b} {v}"
    return [_pair((premise, f"{w.pick([a, b])} {v}"), (premise, f"{c} {v}"))]


def _listed(w: Words) -> list[Pair]:
    """Test-only frame: the premise lists two things; the hypothesis names one of them or a third thing."""
    who, v, (x, y, z) = w.person().name, w.verb("handle").past, w.nouns("things", 3)
    premise = f"{who} {v} {x.a()} and {y.a()}"
    return [_pair((premise, f"{who} {v} {w.pick([x, y]).a()}"), (premise, f"{who} {v} {z.a()}"))]


def _overlap_near(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    v = w.verb("alone").past
    # The premise contains "the b v" as a substring, but does not entail it.
    premise = f"the {a} {w.pick(NEAR)} the {b} {v}"
    return [_pair((premise, f"the {a} {v}"), (premise, f"the {b} {v}"))]


def _overlap_relative(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    v, inner = w.verb("alone").past, w.verb("social").past
    premise = w.pick([f"the {a} who {inner} the {b} {v}", f"the {a} who the {b} {inner} {v}"])
    return [_pair((premise, f"the {a} {v}"), (premise, f"the {b} {v}"))]


def _overlap_object(w: Words) -> list[Pair]:
    """Test-only frame: after a subordinate clause, the last verb belongs to the second subject, not to the first."""
    a, b = (n.one for n in w.nouns("people", 2))
    v, inner = w.verb("alone").past, w.verb("social").past
    # Read without its comma, the premise seems to say that the first person did the second deed.
    premise = f"after the {a} {inner} {w.person().name}, the {b} {v}"
    return [_pair((premise, f"the {b} {v}"), (premise, f"the {a} {v}"))]


def _roles(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    v = w.verb("social")
    if w.chance(0.5):
        premise = f"the {a} was {v.done} by the {b}"
        return [_pair((premise, f"the {b} {v.past} the {a}"), (premise, f"the {a} {v.past} the {b}"))]
    premise = f"the {a} {v.past} the {b}"
    return [_pair((premise, f"the {b} was {v.done} by the {a}"), (premise, f"the {a} was {v.done} by the {b}"))]


def _factive(w: Words) -> list[Pair]:
    a = w.person().name
    b = w.noun("people").one
    # "know" presupposes that its clause is true, "claim" does not.
    know, claim, v = w.verb("know").past, w.verb("claim").past, w.verb("alone").past
    return [_pair((f"{a} {know} that the {b} {v}", f"the {b} {v}"), (f"{a} {claim} that the {b} {v}", f"the {b} {v}"))]


def _opposite(w: Words) -> list[Pair]:
    a, b = w.names(2)
    more, less = w.order(*w.text("opposite").split())
    return [
        _pair(
            (f"{a} is {more} than {b}", f"{b} is {less} than {a}"),
            (f"{a} is {more} than {b}", f"{a} is {less} than {b}"),
        )
    ]


def _synonym(w: Words) -> list[Pair]:
    (a, b), (c, d) = (tuple(verb(entry).past for entry in pair) for pair in w.synonyms("same_handle"))
    who, thing = w.person().name, w.noun("things").one
    # Each verb is once in an entailed hypothesis and once in one that is not.
    say = f"{who} {{}} the {thing}"
    return [
        _pair((say.format(a), say.format(b)), (say.format(a), say.format(d))),
        _pair((say.format(c), say.format(d)), (say.format(c), say.format(b))),
    ]


def _sibling(w: Words) -> list[Pair]:
    _, wide, (narrow, other) = w.kind("animals", "foods", "things", "people", "plants")
    who, v = w.person().name, w.verb("perceive").past
    premise = f"{who} {v} {narrow.a()}"
    return [_pair((premise, f"{who} {v} {wide.a()}"), (premise, f"{who} {v} {other.a()}"))]


@dataclass(frozen=True)
class RteLite(LiteTask):
    """Entailment between generated sentences, with RTE's labels but not its data.

    In the manner of HANS (arXiv:1902.01007) and MED (arXiv:1906.06448).
    """

    name = "rte-lite"
    output = Classes(("entailment", "not_entailment"))
    metrics = ("accuracy", "f1")
    pairs = True
    positive = ENTAILMENT
    description = "Generated pairs: quantifiers, monotonicity, hypernyms, numbers, lexical-overlap traps"
    source = "in the manner of HANS (arXiv:1902.01007) and MED (arXiv:1906.06448); shape of RTE, Dagan et al. 2005"
    frames = (
        Frame("hypernym", _sibling),
        Frame("hypernym", _siblings, new=True),
        Frame("hypernym", _mono_object, new=True),
        Frame("quantifier", _quantified),
        Frame("quantifier", _mono_subject, new=True),
        Frame("quantifier", _mono_quantifier, new=True),
        Frame("quantifier", _numbers, new=True),
        Frame("participant", _joined),
        Frame("participant", _listed, new=True),
        Frame("overlap", _overlap_near),
        Frame("overlap", _overlap_relative, new=True),
        Frame("overlap", _overlap_object, new=True),
        Frame("overlap", _roles, new=True),
        Frame("factive", _factive),
        Frame("lexical", _synonym),
        Frame("lexical", _opposite, new=True),
    )
