"""`rte-lite`: textual entailment with quantifiers, hypernyms and lexical-overlap traps.

The examples follow HANS (McCoy et al. 2019) and MED (Yanaka et al. 2019). Neither a quantifier nor a template alone
determines the label, and the hypothesis of a pair that is not entailed has as many words of the premise as the other:
a model must know which word is the hypernym, or who did what. Scores are not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.entailed_pairs import ENTAILMENT, direction, entailed_pairs, somebody, two_people
from tlbench_glue.lite.grammar import NEAR, determiner, tense
from tlbench_glue.lite.lexicon import Noun, Words, noun, verb
from tlbench_glue.lite.lite_tasks import LiteTask


def _hypernym(w: Words) -> tuple[Noun, Noun, Noun]:
    """Returns two nouns of one kind, and the noun for that kind."""
    _, wide, (narrow, other) = w.kind("animals", "foods", "things", "people", "plants")
    return narrow, other, wide


def _noticed(w: Words) -> str:
    """Returns a statement that somebody noticed something, with the slot {what}."""
    who, v, when = somebody(w), w.verb("perceive"), tense(w, dated=True)
    forms = {
        "active": f"{who} {when.does(v)} {{what}}",
        "passive": f"{{what}} {when.is_done(v)} by {who}",
        "cleft": f"{when.cleft} {{what}} that {who} {when.does(v)}",
    }
    return forms[w.choose(*forms)]


def _sibling(w: Words) -> list[Pair]:
    narrow, other, wide = _hypernym(w)
    say = _noticed(w)
    premise = say.format(what=narrow.a())
    return entailed_pairs(w, ((premise, say.format(what=wide.a())), (premise, say.format(what=other.a()))))


def _kind(w: Words) -> list[Pair]:
    """Returns pairs from two kinds of things; each kind is once the hypernym and once that of another noun."""
    (one, a), (other, b) = w.two_kinds("animals", "foods", "things", "plants")
    say = _noticed(w)
    first, second = (say.format(what=narrow.a()) for narrow in (a, b))
    wide, elsewhere = (say.format(what=kind.a()) for kind in (one, other))
    return entailed_pairs(w, ((first, wide), (first, elsewhere)), ((second, elsewhere), (second, wide)))


def _siblings(w: Words) -> list[Pair]:
    """Test-only frame: plural nouns; the hypothesis has a hypernym or a different noun of the same kind."""
    narrow, other, wide = _hypernym(w)
    who, v, when, n = somebody(w), w.verb("perceive"), tense(w, dated=True), w.number()
    forms = {
        "active": f"{who} {when.does(v)} {n} {{}}",
        "passive": f"{n} {{}} {when.is_done(v, plural=True)} by {who}",
    }
    say = forms[w.choose(*forms)]
    premise = say.format(narrow.many)
    return entailed_pairs(w, ((premise, say.format(wide.many)), (premise, say.format(other.many))))


def _mono_object(w: Words) -> list[Pair]:
    """Test-only frame: from a noun to its hypernym, but not back."""
    narrow, _, wide = _hypernym(w)
    say = _noticed(w)
    return entailed_pairs(w, direction(True, say.format(what=narrow.a()), say.format(what=wide.a())))


def _mono_quantifier(w: Words) -> list[Pair]:
    """Test-only frame: upward-entailing quantifiers keep an inference, downward-entailing ones reverse it."""
    narrow, _, wide = _hypernym(w)
    who, v, when = w.noun("people"), w.verb("perceive"), tense(w, dated=True, modal=False)
    up, down = w.choose("some/no", "several/hardly any", "many/few", "most/not all").split("/")
    return entailed_pairs(
        w,
        *(
            direction(q == up, *(f"{q} {who.many} {when.does(v)} {thing.a()}" for thing in (narrow, wide)))
            for q in (up, down)
        ),
    )


def _mono_subject(w: Words) -> list[Pair]:
    """Test-only frame: "all" and "no" are downward-entailing in their subject."""
    _, wide, (narrow, _) = w.kind("people")
    v, when = w.verb("alone"), tense(w, dated=True, modal=False)
    up, down = w.choose("some/all", "several/no", "many/all", "some/no").split("/")
    return entailed_pairs(
        w,
        *(direction(q == up, *(f"{q} {who.many} {when.does(v)}" for who in (narrow, wide))) for q in (up, down)),
    )


def _numbers(w: Words) -> list[Pair]:
    """Test-only frame: "at least five" entails "at least three"; "at most three" entails "at most five"."""
    low, high = w.numbers()
    who, things, v, when = somebody(w), w.noun("things").many, w.verb("handle"), tense(w, dated=True, modal=False)
    forms = {
        "active": f"{who} {when.does(v)} {{}} {{}} {things}",
        "passive": f"{{}} {{}} {things} {when.is_done(v, plural=True)} by {who}",
    }
    say = forms[w.choose(*forms)]
    least, most = w.choose("at least/at most", "more than/fewer than", "no fewer than/no more than").split("/")
    return entailed_pairs(
        w,
        direction(True, say.format(least, high), say.format(least, low)),
        direction(False, say.format(most, high), say.format(most, low)),
    )


def _quantified(w: Words) -> list[Pair]:
    """Returns pairs in which a stronger quantifier entails a weaker one: all, most or many, some."""
    a, b = w.nouns("people", 2)
    (v, u), when = w.verbs("alone", 2), tense(w, dated=True, modal=False)
    strong, weak = w.choose("all/some", "all/several", "all/most", "most/some", "many/some").split("/")
    link = w.choose("and", "while", "but it is also true that")
    both = [f"{{}} {a.many} {when.does(v)}", f"{{}} {b.many} {when.does(u)}"]
    # Entailed is what the premise says of these people, not what it says of the others.
    first, second = both if w.choose("first", "second") == "first" else both[::-1]
    premise = f"{first.format(strong)} {link} {second.format(strong)}"
    hypothesis = f"{weak} {a.many} {{}}"
    return entailed_pairs(
        w,
        ((premise, hypothesis.format(when.does(v))), (premise, hypothesis.format(when.does(u)))),
        dated=False,
    )


def _joined(w: Words) -> list[Pair]:
    a, b, c = w.names(3)
    v, when = w.verb("alone"), tense(w, dated=True)
    forms = {
        "and, but not": f"{a} and {b}, but not {c}, {when.does(v)}",
        "not, but": f"not {c} but {a} and {b} {when.does(v)}",
        "and, but not, last": f"{a} and {b} {when.does(v)}, but not {c}",
        "with": f"{a} {when.does(v)} with {b}, but without {c}",
    }
    premise = forms[w.choose(*forms)]
    kept = a if w.choose("first", "second") == "first" else b
    return entailed_pairs(w, ((premise, f"{kept} {when.does(v)}"), (premise, f"{c} {when.does(v)}")), dated=False)


def _listed(w: Words) -> list[Pair]:
    """Test-only frame: the premise lists what somebody did and did not handle; the hypothesis names one thing."""
    who, v, when = somebody(w), w.verb("handle"), tense(w, dated=True)
    x, y, z = (thing.a() for thing in w.nouns("things", 3))
    forms = {
        "but not": f"{who} {when.does(v)} {x} and {y}, but not {z}",
        "instead": f"instead of {z}, {who} {when.does(v)} {x} and {y}",
        "both": f"{who} {when.does(v)} both {x} and {y}, but not {z}",
    }
    kept = x if w.choose("first", "second") == "first" else y
    premise = forms[w.choose(*forms)]
    return entailed_pairs(
        w, ((premise, f"{who} {when.does(v)} {kept}"), (premise, f"{who} {when.does(v)} {z}")), dated=False
    )


def _overlap_near(w: Words) -> list[Pair]:
    (a, b), when = two_people(w), tense(w, dated=True)
    does = when.does(w.verb("alone"))
    # The premise contains "b does" as a substring, but does not entail it.
    premise = f"{a} {w.choose(*NEAR)} {b} {does}"
    return entailed_pairs(w, ((premise, f"{a} {does}"), (premise, f"{b} {does}")))


def _overlap_relative(w: Words) -> list[Pair]:
    """Test-only frame: the subject of the main clause is not the person in the relative clause."""
    (a, b), when, inner = two_people(w, "the"), tense(w, dated=True), w.verb("social")
    does = when.does(w.verb("alone"))
    premise = w.choose(
        "{a} who {v.past} {b} {does}", "{a} who {b} {v.past} {does}", "{a} who was {v.done} by {b} {does}"
    )
    premise = premise.format(a=a, b=b, v=inner, does=does)
    return entailed_pairs(w, ((premise, f"{a} {does}"), (premise, f"{b} {does}")))


def _overlap_object(w: Words) -> list[Pair]:
    """Test-only frame: after a subordinate clause, the last verb belongs to the second subject, not to the first."""
    (a, b), when, inner = two_people(w), tense(w, dated=True), w.verb("social")
    does = when.does(w.verb("alone"))
    who = w.person().name
    # Read without its comma, the premise seems to say that the first person did the second deed.
    link = w.choose("after", "before", "because", "although")
    order = w.choose("clause first", "clause last")
    clause = f"{link} {a} {inner.past} {who}"
    premise = f"{clause}, {b} {does}" if order == "clause first" else f"{b} {does} {clause}"
    return entailed_pairs(w, ((premise, f"{b} {does}"), (premise, f"{a} {does}")), dated=False)


def _roles(w: Words) -> list[Pair]:
    """Test-only frame: who did it to whom."""
    (a, b), v, when = two_people(w), w.verb("social"), tense(w, dated=True)
    active, passive = f"{{}} {when.does(v)} {{}}", f"{{1}} {when.is_done(v)} by {{0}}"
    cleft = f"{when.cleft} {{}} who {when.does(v)} {{}}"
    forms = {
        "to passive": (active, passive),
        "to active": (passive, active),
        "cleft to active": (cleft, active),
        "cleft to passive": (cleft, passive),
    }
    first, second = forms[w.choose(*forms)]
    premise = first.format(a, b)
    return entailed_pairs(w, ((premise, second.format(a, b)), (premise, second.format(b, a))))


def _factive(w: Words) -> list[Pair]:
    who, subject, does = somebody(w), f"{determiner(w)} {w.noun('people').one}", w.verb("alone")
    fact = f"{subject} {tense(w, dated=True).does(does)}"
    # "know" presupposes that its clause is true, "claim" does not.
    know, claim = w.verb("know"), w.verb("claim")
    say = w.choose(
        "{who} {v.past} that {fact}",
        "{who} had {v.done} that {fact}",
        "{who} must have {v.done} that {fact}",
        "{who} never {v.past} that {fact}",
        "{who} soon {v.past} that {fact}",
    )
    return entailed_pairs(
        w,
        ((say.format(who=who, v=know, fact=fact), fact), (say.format(who=who, v=claim, fact=fact), fact)),
        dated=False,
    )


def _synonym(w: Words) -> list[Pair]:
    (a, b), (c, d) = (tuple(verb(entry) for entry in pair) for pair in w.synonyms("event_deeds"))
    who, when = somebody(w), tense(w, dated=True)
    thing = f"{determiner(w)} {noun(w.synonyms('event_objects')[0][0]).one}"
    forms = {
        "active": lambda v: f"{who} {when.does(v)} {thing}",
        "passive": lambda v: f"{thing} {when.is_done(v)} by {who}",
        "cleft": lambda v: f"{when.cleft} {thing} that {who} {when.does(v)}",
    }
    first, second = forms[w.choose(*forms)], forms[w.choose(*forms)]
    return entailed_pairs(
        w,
        ((first(a), second(b)), (first(a), second(d))),
        ((first(c), second(d)), (first(c), second(b))),
    )


def _synonym_noun(w: Words) -> list[Pair]:
    """Test-only frame: a noun and its synonym, or another noun; each noun is once the synonym and once the other."""
    (a, b), (c, d) = w.synonyms("same_people")
    the, when = determiner(w), tense(w, dated=True)
    does, (v, who) = when.does(w.verb("alone")), (w.verb("social"), w.person().name)
    forms = {
        "alone": f"{the} {{}} {does}",
        "subject": f"{the} {{}} {when.does(v)} {who}",
        "object": f"{who} {when.does(v)} {the} {{}}",
        "subject of a passive": f"{the} {{}} {when.is_done(v)} by {who}",
    }
    say = forms[w.choose(*forms)]
    first, same, second, other = (say.format(noun(entry).one) for entry in (a, b, c, d))
    return entailed_pairs(w, ((first, same), (first, other)), ((second, other), (second, same)))


def _opposite(w: Words) -> list[Pair]:
    """Test-only frame: opposite comparatives."""
    a, b = w.names(2) if w.choose("names", "nouns") == "names" else two_people(w)
    more, less = w.order(*w.text("opposite").split())
    be, degree = w.choose("is", "was"), w.choose("", "much ", "far ", "a little ")
    premise = f"{a} {be} {degree}{more} than {b}"
    return entailed_pairs(
        w, ((premise, f"{b} {be} {less} than {a}"), (premise, f"{a} {be} {less} than {b}")), dated=False
    )


@dataclass(frozen=True)
class RteLite(LiteTask):
    """Entailment between generated sentences, with RTE's labels but not its data.

    In the manner of HANS (arXiv:1902.01007) and MED (arXiv:1906.06448).
    """

    name = "rte-lite"
    version = 2
    output = Classes(("entailment", "not_entailment"))
    metrics = ("accuracy", "f1")
    pairs = True
    positive = ENTAILMENT
    description = "Generated pairs: quantifiers, monotonicity, hypernyms, numbers, lexical-overlap traps"
    source = "in the manner of HANS (arXiv:1902.01007) and MED (arXiv:1906.06448); shape of RTE, Dagan et al. 2005"
    frames = (
        Frame("hypernym", _sibling, weight=2),
        Frame("hypernym", _kind, weight=2),
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
        Frame("lexical", _synonym, weight=3),
        Frame("lexical", _synonym_noun, new=True, weight=2),
        Frame("lexical", _opposite, new=True),
    )
