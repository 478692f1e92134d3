"""`cola-lite`: grammatical acceptability of generated minimal pairs, after BLiMP (Warstadt et al. 2020).

The two sentences of a pair either have the same words, or belong to two pairs in which each word form occurs equally
often in correct and in incorrect sentences. So no single word predicts the label, only the combination of words does.
Scores are not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.lexicon import Noun, Words, sentence
from tlbench_glue.lite.lite_tasks import LiteTask

NEAR = ("near", "behind", "beside")


def _pair(good: str, bad: str) -> Pair:
    return ((sentence(good),), 1), ((sentence(bad),), 0)


def _square(a: str, b: str, forms: tuple[tuple[str, str], tuple[str, str]], template: str) -> list[Pair]:
    """Returns two pairs: the template with {x} = `a` and with {x} = `b`, each with the right and the wrong form as {y}.

    Args:
        a: First word.
        b: Second word.
        forms: For each of the two words, the form that agrees with it and the one that does not.
        template: Sentence with the slots {x} and {y}.
    """
    return [
        _pair(template.format(x=x, y=right), template.format(x=x, y=wrong))
        for x, (right, wrong) in zip((a, b), forms, strict=True)
    ]


def _number_square(w: Words, head: Noun, template: str) -> list[Pair]:
    """Returns two pairs, with the head noun {x} in singular and plural; the verb {y} agrees in one sentence of each."""
    # Copula, perfect or full verb, so that agreement is tested on more than one verb form.
    if w.chance(0.5):
        one, many = w.pick([("is", "are"), ("was", "were")])
        mood = w.text("moods")
        one, many = f"{one} {mood}", f"{many} {mood}"
    elif w.chance(0.5):
        done = w.verb("alone").done
        one, many = f"has {done}", f"have {done}"
    else:
        verb = w.verb("alone")
        one, many = verb.s, verb.base
    return _square(head.one, head.many, ((one, many), (many, one)), template)


def _agree_simple(w: Words) -> list[Pair]:
    return _number_square(w, w.noun("people"), "the {x} {y}")


def _agree_when(w: Words) -> list[Pair]:
    """Test-only frame: agreement of subject and verb after an adverbial of time."""
    return _number_square(w, w.noun("people"), f"{w.text('times')}, the {{x}} {{y}}")


def _agree_near(w: Words) -> list[Pair]:
    head, other = w.nouns("people", 2)
    # An attractor of either number between head and verb.
    form = w.pick([other.one, other.many])
    return _number_square(w, head, f"the {{x}} {w.pick(NEAR)} the {form} {{y}}")


def _agree_relative(w: Words) -> list[Pair]:
    head, other = w.nouns("people", 2)
    form = w.pick([other.one, other.many])
    return _number_square(w, head, f"the {{x}} who the {form} {w.verb('social').past} {{y}}")


def _agree_coordinate(w: Words) -> list[Pair]:
    """Test-only frame: the subject "A and B" takes a plural verb, but "A with B" a singular one."""
    a, b = w.names(2)
    mood = w.text("moods")
    one, many = w.pick([("is", "are"), ("was", "were")])
    return [
        _pair(f"{a} and {b} {many} {mood}", f"{a} and {b} {one} {mood}"),
        _pair(f"{a} with {b} {one} {mood}", f"{a} with {b} {many} {mood}"),
    ]


def _self_name(w: Words) -> list[Pair]:
    m, f, verb = w.person(False), w.person(True), w.verb("social")
    him, her = m.self, f.self
    return _square(m.name, f.name, ((him, her), (her, him)), f"{{x}} {verb.past} {{y}}")


def _self_will(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun after an auxiliary and a verb in the base form."""
    m, f, verb = w.person(False), w.person(True), w.verb("social").base
    helper = w.pick(["will", "can", "did not"])
    return _square(m.name, f.name, ((m.self, f.self), (f.self, m.self)), f"{{x}} {helper} {verb} {{y}}")


def _self_noun(w: Words) -> list[Pair]:
    m, f, verb = w.noun("male"), w.noun("female"), w.verb("social")
    return _square(m.one, f.one, (("himself", "herself"), ("herself", "himself")), f"the {{x}} {verb.past} {{y}}")


def _self_of(w: Words) -> list[Pair]:
    m, f, verb = w.noun("male").one, w.noun("female").one, w.verb("social").past
    return [
        _pair(f"the {m} of the {f} {verb} himself", f"the {m} of the {f} {verb} herself"),
        _pair(f"the {f} of the {m} {verb} herself", f"the {f} of the {m} {verb} himself"),
    ]


def _self_clause(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun refers to the subject of its own clause, not of the main clause."""
    m, f, verb, claim = w.person(False), w.person(True), w.verb("social").past, w.verb("claim").past
    return [
        _pair(f"{f.name} {claim} that {m.name} {verb} himself", f"{f.name} {claim} that {m.name} {verb} herself"),
        _pair(f"{m.name} {claim} that {f.name} {verb} herself", f"{m.name} {claim} that {f.name} {verb} himself"),
    ]


def _wh_adjunct(w: Words) -> list[Pair]:
    a, b = w.nouns("people", 2)
    verb, alone = w.verb("handle").base, w.verb("alone").base
    # A question word cannot be moved out of an adverbial clause: the gap must be in the main clause.
    link = w.pick(["if", "when", "while", "because"])
    return [
        _pair(
            f"what will the {a.many} {verb} {link} the {b.many} {alone}?",
            f"what will the {a.many} {alone} {link} the {b.many} {verb}?",
        )
    ]


def _wh_coordinate(w: Words) -> list[Pair]:
    a, b = w.names(2)
    verb = w.verb("social").base
    # A question word cannot be moved out of one half of a coordination.
    return [_pair(f"who did {a} and {b} {verb}?", f"who did {a} {verb} {b} and?")]


def _wh_complex(w: Words) -> list[Pair]:
    """Test-only frame: a question cannot leave a gap inside a relative clause (complex noun phrase constraint)."""
    noun, name = w.noun("people").one, w.person().name
    inner, outer = w.verbs("social", 2)
    return [
        _pair(
            f"who did the {noun} that {inner.past} {name} {outer.base}?",
            f"who did {name} {outer.base} the {noun} that {inner.past}?",
        )
    ]


def _wh_inversion(w: Words) -> list[Pair]:
    who, verb = w.noun("people").one, w.verb("handle").base
    wh, helper = w.pick(["what", "why", "when", "how"]), w.pick(["did", "will", "can"])
    rest = verb if wh == "what" else f"{verb} the {w.noun('things').one}"
    # Questions invert subject and auxiliary.
    return [_pair(f"{wh} {helper} the {who} {rest}?", f"{wh} the {who} {helper} {rest}?")]


def _wh_which(w: Words) -> list[Pair]:
    """Test-only frame: inversion of subject and auxiliary in questions with "which" and a noun."""
    who, verb, what = w.noun("people").one, w.verb("handle").base, w.noun("things").one
    helper = w.pick(["did", "will", "can"])
    return [_pair(f"which {what} {helper} the {who} {verb}?", f"which {what} the {who} {helper} {verb}?")]


def _npi_relative(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    inner, done = w.verb("social").past, w.verb("alone").done
    end = w.pick([f"has ever {done}", f"had ever {done}", f"was {w.text('moods')} at all"])
    return [_pair(f"no {a} that the {b} {inner} {end}", f"the {a} that no {b} {inner} {end}")]


def _npi_not(w: Words) -> list[Pair]:
    a = w.noun("people").one
    alone, verb, thing = w.verb("alone").done, w.verb("handle").done, w.noun("things").many
    return [
        _pair(
            f"the {a} who has {alone} has not {verb} any {thing}", f"the {a} who has not {alone} has {verb} any {thing}"
        )
    ]


def _npi_near(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    verb, thing = w.verb("handle").past, w.noun("things").many
    near = w.pick(NEAR)
    # "no" licenses "any" only from the subject itself, not from a phrase inside it.
    return [_pair(f"no {a} {near} the {b} {verb} any {thing}", f"the {a} {near} no {b} {verb} any {thing}")]


def _npi_few(w: Words) -> list[Pair]:
    """Test-only frame: "few" licenses the negative polarity item "ever" in the same positions as "no"."""
    a, b = (n.many for n in w.nouns("people", 2))
    inner, done = w.verb("social").past, w.verb("alone").done
    return [_pair(f"few {a} who the {b} {inner} have ever {done}", f"the {a} who few {b} {inner} have ever {done}")]


def _animate(w: Words) -> list[Pair]:
    # Only people can handle things, so the swapped sentence is unacceptable although it has the same words.
    who, what, verb = w.noun("people").one, w.noun("things").one, w.verb("handle").past
    look = w.text("looks")
    return [_pair(f"the {who} {verb} the {look} {what}", f"the {look} {what} {verb} the {who}")]


def _animate_will(w: Words) -> list[Pair]:
    """Test-only frame: only people handle things, stated with an auxiliary."""
    who, what, verb = w.noun("people").one, w.noun("things").one, w.verb("handle").base
    helper = w.pick(["will", "can", "must"])
    return [_pair(f"the {who} {helper} {verb} the {what}", f"the {what} {helper} {verb} the {who}")]


def _animate_to(w: Words) -> list[Pair]:
    """Test-only frame: the recipient is a person and the gift is a thing, not the reverse."""
    a, who, what, verb = w.person().name, w.noun("people").one, w.noun("things").one, w.verb("give").past
    return [_pair(f"{a} {verb} the {who} the {what}", f"{a} {verb} the {what} the {who}")]


def _object_relative(w: Words) -> list[Pair]:
    """Test-only frame: a transitive verb needs its object in a relative clause too."""
    who, what = w.noun("people").one, w.noun("things").one
    needs, alone = w.verb("handle").past, w.verb("alone").past
    look = w.text("looks")
    return [
        _pair(f"the {what} that the {who} {needs} was {look}", f"the {what} that the {who} {alone} was {look}"),
        _pair(f"the {who} that {alone} saw it", f"the {who} that {needs} saw it"),
    ]


@dataclass(frozen=True)
class ColaLite(LiteTask):
    """Acceptability of generated sentences, with CoLA's labels but not its data.

    Warstadt et al. 2020, arXiv:1912.00582.
    """

    name = "cola-lite"
    output = Classes(("unacceptable", "acceptable"))
    metrics = ("matthews", "accuracy", "f1")
    description = "Generated minimal pairs: agreement, reflexives, wh-movement, NPI, argument structure"
    source = "in the manner of BLiMP, Warstadt et al. 2020, arXiv:1912.00582; shape of CoLA, Warstadt et al. 2019"
    frames = (
        Frame("agreement", _agree_simple, weight=2),
        Frame("agreement", _agree_when, new=True),
        Frame("agreement", _agree_near, new=True),
        Frame("agreement", _agree_relative, new=True),
        Frame("agreement", _agree_coordinate, new=True),
        Frame("reflexive", _self_name, weight=3),
        Frame("reflexive", _self_will, new=True),
        Frame("reflexive", _self_noun, new=True),
        Frame("reflexive", _self_of, new=True),
        Frame("reflexive", _self_clause, new=True),
        Frame("wh-movement", _wh_inversion),
        Frame("wh-movement", _wh_which, new=True),
        Frame("wh-movement", _wh_coordinate, new=True),
        Frame("wh-movement", _wh_adjunct, new=True),
        Frame("wh-movement", _wh_complex, new=True),
        Frame("npi", _npi_relative),
        Frame("npi", _npi_near, new=True),
        Frame("npi", _npi_not, new=True),
        Frame("npi", _npi_few, new=True),
        Frame("argument-structure", _animate, weight=2),
        Frame("argument-structure", _animate_will, new=True),
        Frame("argument-structure", _animate_to, new=True),
        Frame("argument-structure", _object_relative, new=True),
    )
