"""`cola-lite`: grammatical acceptability of generated minimal pairs, after BLiMP (Warstadt et al. 2020).

The two sentences of a pair either have the same words, or belong to two pairs in which each word form occurs equally
often in correct and in incorrect sentences. So no single word predicts the label, only the combination of words does.
Scores are not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.grammar import DETERMINERS, NEAR, tense
from tlbench_glue.lite.lexicon import Noun, Words
from tlbench_glue.lite.lite_tasks import LiteTask
from tlbench_glue.lite.minimal_pairs import ENDS, minimal_pairs, square

HELPERS = ("did", "will", "can", "must", "should", "could")


def _agreeing(w: Words) -> tuple[str, str, bool]:
    """Returns the singular and the plural of a verb phrase, and whether it may have an adverbial of time."""
    # Copula, perfect, passive or full verb, so that agreement is tested on more than one verb form.
    kind = w.choose("is", "was", "has", "has been", "was passive", "full verb")
    if kind in ("is", "was"):
        mood = w.text("moods")
        return (f"is {mood}", f"are {mood}", False) if kind == "is" else (f"was {mood}", f"were {mood}", True)
    if kind == "full verb":
        verb = w.verb("alone")
        return verb.s, verb.base, False
    if kind == "was passive":
        done = w.verb("social").done
        return f"was {done}", f"were {done}", True
    rest = w.verb("alone").done if kind == "has" else f"been {w.text('moods')}"
    return f"has {rest}", f"have {rest}", False


def _number_square(w: Words, head: Noun, template: str) -> list[Pair]:
    """Returns two pairs, with the head noun {x} in singular and plural; the verb {y} agrees in one sentence of each."""
    one, many, dated = _agreeing(w)
    return square(w, (head.one, head.many), (one, many), template, dated)


def _agree_simple(w: Words) -> list[Pair]:
    return _number_square(w, w.noun("people"), f"{w.pick(DETERMINERS)} {{x}} {{y}}")


def _agree_adverb(w: Words) -> list[Pair]:
    """Test-only frame: agreement of subject and verb across an adverb or a parenthesis."""
    between = w.choose(" over there", " out here", ", once more,", ", again,", ", like everyone here,")
    subject = f"{w.pick(DETERMINERS)} {{x}}"
    return _number_square(w, w.noun("people"), f"{subject}{between} {{y}}")


def _agree_near(w: Words) -> list[Pair]:
    """Test-only frame: a noun of either number stands between head and verb."""
    head, other = w.nouns("people", 2)
    form = other.one if w.choose("singular between", "plural between") == "singular between" else other.many
    return _number_square(w, head, f"{w.pick(DETERMINERS)} {{x}} {w.pick(NEAR)} the {form} {{y}}")


def _agree_relative(w: Words) -> list[Pair]:
    """Test-only frame: a relative clause stands between head and verb."""
    head, other = w.nouns("people", 2)
    form = other.one if w.choose("singular between", "plural between") == "singular between" else other.many
    inner = w.verb("social").past
    clause = w.choose("who the {form} {inner}", "who {inner} the {form}", "whom the {form} {inner}")
    return _number_square(w, head, f"the {{x}} {clause.format(form=form, inner=inner)} {{y}}")


def _agree_coordinate(w: Words) -> list[Pair]:
    """Test-only frame: the subject "A and B" takes a plural verb, but "A with B" a singular one."""
    a, b = w.names(2)
    one, many, dated = _agreeing(w)
    together = w.choose("{a} and {b}", "both {a} and {b}")
    single = f"{a}, with {b}," if together.startswith("both") else f"{a} with {b}"
    together = together.format(a=a, b=b)
    return minimal_pairs(
        w, (f"{together} {many}", f"{together} {one}"), (f"{single} {one}", f"{single} {many}"), dated=dated
    )


def _self(w: Words, m: str, f: str, template: str = "{x} {does} {y}", helper: str = "") -> list[Pair]:
    """Returns two pairs of a man's and a woman's reflexive pronoun."""
    verb = w.verb("social")
    when = tense(w, dated=True)
    template = template.replace("{does}", f"{helper} {verb.base}" if helper else when.does(verb))
    return square(w, (m, f), ("himself", "herself"), template, dated=not helper)


def _self_name(w: Words) -> list[Pair]:
    template = w.choose(
        "{x} {does} {y}", "{x} {does} only {y}", "{x} {does} nobody but {y}", "{x} {does} {y} and others"
    )
    return _self(w, w.person(False).name, w.person(True).name, template)


def _self_will(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun after an auxiliary and a verb in the base form."""
    helper = w.choose("will", "can", "could", "should", "did not", "will not", "would never")
    return _self(w, w.person(False).name, w.person(True).name, helper=helper)


def _self_noun(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun refers to a noun of one gender."""
    return _self(w, w.noun("male").one, w.noun("female").one, f"{w.pick(DETERMINERS)} {{x}} {{does}} {{y}}")


def _self_of(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun refers to the head of a noun phrase."""
    m, f, when = w.noun("male").one, w.noun("female").one, tense(w, dated=True)
    does, link = when.does(w.verb("social")), w.choose("of", *NEAR)
    return minimal_pairs(
        w,
        *(
            (f"the {x} {link} the {y} {does} {right}", f"the {x} {link} the {y} {does} {wrong}")
            for x, y, right, wrong in ((m, f, "himself", "herself"), (f, m, "herself", "himself"))
        ),
        dated=True,
    )


def _self_clause(w: Words) -> list[Pair]:
    """Test-only frame: a reflexive pronoun refers to the subject of its own clause, not of the main clause."""
    m, f, claim, when = w.person(False), w.person(True), w.verb("claim"), tense(w, dated=True)
    does, say = when.does(w.verb("social")), w.choose("{v.past}", "had {v.done}", "must have {v.done}").format(v=claim)
    return minimal_pairs(
        w,
        *(
            (f"{x.name} {say} that {y.name} {does} {y.self}", f"{x.name} {say} that {y.name} {does} {x.self}")
            for x, y in ((f, m), (m, f))
        ),
    )


def _wh_adjunct(w: Words) -> list[Pair]:
    """Test-only frame: a question word cannot be moved out of an adverbial clause."""
    a, b = w.nouns("people", 2)
    verb, alone = w.verb("handle").base, w.verb("alone").base
    link, helper = w.choose("if", "when", "while", "because"), w.choose("will", "can", "must", "should")
    # The gap must be in the main clause.
    start = f"what {helper} the {a.many}"
    return minimal_pairs(
        w, (f"{start} {verb} {link} the {b.many} {alone}?", f"{start} {alone} {link} the {b.many} {verb}?")
    )


def _wh_coordinate(w: Words) -> list[Pair]:
    """Test-only frame: a question word cannot be moved out of one half of a coordination."""
    a, b = w.names(2)
    verb, helper, link = w.verb("social").base, w.choose(*HELPERS), w.choose("and", "or")
    return minimal_pairs(w, (f"who {helper} {a} {link} {b} {verb}?", f"who {helper} {a} {verb} {b} {link}?"))


def _wh_complex(w: Words) -> list[Pair]:
    """Test-only frame: a question cannot leave a gap inside a relative clause (complex noun phrase constraint)."""
    noun, name, helper = w.noun("people").one, w.person().name, w.choose(*HELPERS)
    inner, outer = w.verbs("social", 2)
    that = w.choose("that", "who")
    return minimal_pairs(
        w,
        (
            f"who {helper} the {noun} {that} {inner.past} {name} {outer.base}?",
            f"who {helper} {name} {outer.base} the {noun} {that} {inner.past}?",
        ),
    )


def _wh_inversion(w: Words) -> list[Pair]:
    who, verb = f"{w.pick(DETERMINERS)} {w.noun('people').one}", w.verb("handle").base
    wh, helper = w.choose("what", "why", "when", "how", "where", "which of them"), w.choose(*HELPERS)
    rest = verb if wh in ("what", "which of them") else f"{verb} the {w.noun('things').one}"
    # Questions invert subject and auxiliary.
    return minimal_pairs(w, (f"{wh} {helper} {who} {rest}?", f"{wh} {who} {helper} {rest}?"))


def _wh_which(w: Words) -> list[Pair]:
    """Test-only frame: inversion of subject and auxiliary in questions with "which" and a noun."""
    who, verb, what = f"{w.pick(DETERMINERS)} {w.noun('people').one}", w.verb("handle").base, w.noun("things")
    helper = w.choose(*HELPERS)
    which = w.choose("which {x.one}", "whose {x.one}", "how many {x.many}", "what other {x.one}").format(x=what)
    return minimal_pairs(w, (f"{which} {helper} {who} {verb}?", f"{which} {who} {helper} {verb}?"))


def _npi_relative(w: Words) -> list[Pair]:
    a, b = (n.one for n in w.nouns("people", 2))
    inner, done = w.verb("social"), w.verb("alone").done
    end = w.choose(
        "has ever {done}", "had ever {done}", "was {mood} at all", "has {done} yet", "would ever have {done}"
    )
    end = end.format(done=done, mood=w.text("moods"))
    inside = w.choose("that {} {v.past}", "that {} had {v.done}", "who {} {v.past}", "whom {} {v.past}")
    good, bad = (inside.format(f"{x} {b}", v=inner) for x in ("the", "no"))
    return minimal_pairs(w, (f"no {a} {good} {end}", f"the {a} {bad} {end}"))


def _npi_not(w: Words) -> list[Pair]:
    """Test-only frame: the negation must be in the clause of "any"."""
    a = w.noun("people").one
    alone, verb, thing = w.verb("alone").done, w.verb("handle").done, w.noun("things").many
    has, who = w.choose("has", "had"), w.choose("who", "that")
    no = w.choose("not", "never")
    return minimal_pairs(
        w,
        (
            f"the {a} {who} {has} {alone} {has} {no} {verb} any {thing}",
            f"the {a} {who} {has} {no} {alone} {has} {verb} any {thing}",
        ),
    )


def _npi_near(w: Words) -> list[Pair]:
    """Test-only frame: "no" licenses "any" only from the subject itself, not from a phrase inside it."""
    a, b = (n.one for n in w.nouns("people", 2))
    verb, thing, near = w.verb("handle"), w.noun("things").many, w.pick(NEAR)
    does = w.choose("{v.past}", "had {v.done}", "has {v.done}", "will {v.base}").format(v=verb)
    return minimal_pairs(w, (f"no {a} {near} the {b} {does} any {thing}", f"the {a} {near} no {b} {does} any {thing}"))


def _npi_few(w: Words) -> list[Pair]:
    """Test-only frame: "few" licenses the negative polarity item "ever" in the same positions as "no"."""
    a, b = (n.many for n in w.nouns("people", 2))
    inner, done = w.verb("social"), w.verb("alone").done
    have, who = w.choose("have ever", "had ever", "would ever have"), w.choose("who", "that", "whom")
    return minimal_pairs(
        w,
        (f"few {a} {who} the {b} {inner.past} {have} {done}", f"the {a} {who} few {b} {inner.past} {have} {done}"),
    )


def _animate(w: Words) -> list[Pair]:
    # Only people can handle things, so the swapped sentence is unacceptable although it has the same words.
    the = w.pick(DETERMINERS)
    who, what = f"{the} {w.noun('people').one}", f"{the} {w.noun('things').one}"
    verb, when = w.verb("handle"), tense(w, dated=True)
    forms = {
        "active": f"{{}} {when.does(verb)} {{}}",
        "passive": f"{{1}} {when.is_done(verb)} by {{0}}",
    }
    say = forms[w.choose(*forms)] + w.choose(*ENDS)
    return minimal_pairs(w, (say.format(who, what), say.format(what, who)), dated=True)


def _animate_will(w: Words) -> list[Pair]:
    """Test-only frame: only people handle things, stated with an auxiliary."""
    who, what, verb = w.noun("people").one, w.noun("things").one, w.verb("handle").base
    helper = w.choose("will", "can", "must", "could", "should", "did not", "would never", "will soon")
    return minimal_pairs(w, (f"the {who} {helper} {verb} the {what}", f"the {what} {helper} {verb} the {who}"))


def _animate_to(w: Words) -> list[Pair]:
    """Test-only frame: the recipient is a person and the gift is a thing, not the reverse."""
    a, when, verb = w.person().name, tense(w, dated=True), w.verb("give")
    who, what = f"the {w.noun('people').one}", f"the {w.noun('things').one}"
    does = when.does(verb)
    return minimal_pairs(w, (f"{a} {does} {who} {what}", f"{a} {does} {what} {who}"), dated=True)


def _object_relative(w: Words) -> list[Pair]:
    """Test-only frame: a transitive verb needs its object in a relative clause too."""
    who, what = w.noun("people").one, w.noun("things").one
    needs, alone = w.verb("handle"), w.verb("alone")
    inner = w.choose("{v.past}", "had {v.done}", "will {v.base}", "may have {v.done}")
    needs, alone = (inner.format(v=v) for v in (needs, alone))
    look, be, thing = w.text("looks"), w.choose("was", "is"), w.choose("it", "them", "us", "me")
    near = w.pick(NEAR)
    return minimal_pairs(
        w,
        (f"the {what} that the {who} {needs} {be} {look}", f"the {what} that the {who} {alone} {be} {look}"),
        (f"the {who} that {alone} {be} {near} {thing}", f"the {who} that {needs} {be} {near} {thing}"),
    )


@dataclass(frozen=True)
class ColaLite(LiteTask):
    """Acceptability of generated sentences, with CoLA's labels but not its data.

    Warstadt et al. 2020, arXiv:1912.00582.
    """

    name = "cola-lite"
    version = 2
    output = Classes(("unacceptable", "acceptable"))
    metrics = ("matthews", "accuracy", "f1")
    description = "Generated minimal pairs: agreement, reflexives, wh-movement, NPI, argument structure"
    source = "in the manner of BLiMP, Warstadt et al. 2020, arXiv:1912.00582; shape of CoLA, Warstadt et al. 2019"
    frames = (
        Frame("agreement", _agree_simple, weight=2),
        Frame("agreement", _agree_adverb, new=True),
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
