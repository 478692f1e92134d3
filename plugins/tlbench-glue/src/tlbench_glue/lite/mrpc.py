"""`mrpc-lite`: paraphrase detection; alternations and synonyms against swapped roles and changed numbers.

As in PAWS (Zhang et al. 2019), a negative example is a near miss that shares as many words with the first sentence as
the paraphrase does: all that it names is named in both. Scores are not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.grammar import PLACES, date, determiner, surround, tense
from tlbench_glue.lite.lexicon import Words, noun, sentence, verb
from tlbench_glue.lite.lite_tasks import LiteTask


def _pairs(w: Words, *triples: tuple[str, str, str], dated: bool = True) -> list[Pair]:
    """Returns two examples for each first sentence, its paraphrase and its near miss, all within the same words.

    Args:
        w: Where the words come from.
        triples: The first sentences, each with its paraphrase and its near miss.
        dated: Whether an adverbial of time may be one of the words around them.
    """
    texts = date(w, *(text for triple in triples for text in triple), places=PLACES if dated else PLACES[:1])
    texts = [sentence(text) for text in surround(w, *texts)]
    firsts, same, other = texts[::3], texts[1::3], texts[2::3]
    return [(((a, b), 1), ((a, c), 0)) for a, b, c in zip(firsts, same, other, strict=True)]


def _people(w: Words, n: int) -> list[str]:
    """Returns different people, either as names or as nouns with a determiner."""
    if w.choose("names", "nouns") == "names":
        return w.names(n)
    the = determiner(w)
    return [f"{the} {person.one}" for person in w.nouns("people", n)]


def _somebody(w: Words) -> str:
    return _people(w, 1)[0]


def _synonym_square(w: Words, key: str, template: str, second: str = "", dated: bool = True) -> list[Pair]:
    """Returns two pairs from two pairs of synonyms; every word is equally often in a paraphrase and in a near miss.

    Args:
        w: Where the words come from.
        key: The list of synonyms.
        template: A sentence with a slot {noun.one}, or one of {does} and {is_done} for a verb.
        second: The template of the second sentences, if it is another one.
        dated: Whether an adverbial of time may go with it.
    """
    (a, b), (c, d) = w.synonyms(key)
    when = tense(w, dated)
    second = second or template

    def fill(template: str, entry: str) -> str:
        v = verb(entry)
        return template.format(noun=noun(entry), does=when.does(v), is_done=when.is_done(v))

    return _pairs(
        w,
        (fill(template, a), fill(second, b), fill(second, d)),
        (fill(template, c), fill(second, d), fill(second, b)),
        dated=dated,
    )


def _synonym_deed(w: Words) -> list[Pair]:
    who, (thing, _) = _somebody(w), w.synonyms("event_objects")[0]
    thing = f"{determiner(w)} {noun(thing).one}"
    return _synonym_square(w, "event_deeds", f"{who} {{does}} {thing}", dated=w.choose("dated", "undated") == "dated")


def _synonym_social(w: Words) -> list[Pair]:
    a, b = _people(w, 2)
    return _synonym_square(w, "same_social", f"{a} {{does}} {b}", dated=w.choose("dated", "undated") == "dated")


def _synonym_passive(w: Words) -> list[Pair]:
    """Test-only frame: the paraphrase is in the passive and has a synonym of the verb."""
    a, b = _people(w, 2)
    return _synonym_square(w, "same_social", f"{a} {{does}} {b}", f"{b} {{is_done}} by {a}")


def _synonym_person(w: Words) -> list[Pair]:
    v, when, the = w.verb("social"), tense(w, dated=True), determiner(w)
    who = w.person().name
    forms = {
        "object": f"{who} {when.does(v)} {the} {{noun.one}}",
        "subject": f"{the} {{noun.one}} {when.does(v)} {who}",
        "subject of a passive": f"{the} {{noun.one}} {when.is_done(v)} by {who}",
    }
    return _synonym_square(w, "same_people", forms[w.choose(*forms)])


def _synonym_thing(w: Words) -> list[Pair]:
    v, when, the = w.verb("perceive"), tense(w, dated=True), determiner(w)
    who = _somebody(w)
    forms = {
        "object": f"{who} {when.does(v)} {the} {{noun.one}}",
        "subject of a passive": f"{the} {{noun.one}} {when.is_done(v)} by {who}",
    }
    return _synonym_square(w, "same_things", forms[w.choose(*forms)])


def _synonym_subject(w: Words) -> list[Pair]:
    """Test-only frame: the paraphrase has a synonym of the subject of a verb without an object."""
    when, the = tense(w, dated=True), determiner(w)
    return _synonym_square(w, "same_people", f"{the} {{noun.one}} {when.does(w.verb('alone'))}")


def _who(w: Words) -> list[Pair]:
    """Returns pairs whose sentences name three people; the near miss exchanges two of them."""
    a, b, c = _people(w, 3)
    v, when = w.verb("social"), tense(w, dated=True)
    does, is_done = when.does(v), when.is_done(v)
    patients = f"{{0}} {does} {{1}}, not {{2}}", f"{{1}} instead of {{2}} {is_done} by {{0}}"
    agents = f"{{0}}, not {{2}}, {does} {{1}}", f"{{1}} {is_done} by {{0}} instead of {{2}}"
    forms = {
        "patient, to passive": patients,
        "patient, to active": patients[::-1],
        "agent, to passive": agents,
        "agent, to active": agents[::-1],
    }
    name = w.choose(*forms)
    first, again = forms[name]
    # Exchanged are the two people of whom one was meant and one was not.
    near_miss = (c, b, a) if name.startswith("agent") else (a, c, b)
    return _pairs(w, (first.format(a, b, c), again.format(a, b, c), again.format(*near_miss)), dated=False)


def _what(w: Words) -> list[Pair]:
    who, v, when, the = _somebody(w), w.verb("handle"), tense(w, dated=True), determiner(w)
    x, y = (f"{the} {thing.one}" for thing in w.nouns("things", 2))
    plain = f"{who} {when.does(v)} {{}}, not {{}}"
    forms = {
        "passive": f"{{}} instead of {{}} {when.is_done(v)} by {who}",
        "cleft": f"{when.cleft} {{}} instead of {{}} that {who} {when.does(v)}",
    }
    first, again = w.order(plain, forms[w.choose(*forms)])
    w.choose("plain first" if first == plain else "plain second")
    # Both things serve as the original once, so that neither predicts a label.
    return _pairs(
        w,
        (first.format(x, y), again.format(x, y), again.format(y, x)),
        (first.format(y, x), again.format(y, x), again.format(x, y)),
        dated=False,
    )


def _whom(w: Words) -> list[Pair]:
    """Test-only frame: the near miss exchanges the recipient with somebody who was none."""
    a, b, c = _people(w, 3)
    v, thing, when = w.verb("give"), w.noun("things").a(), tense(w, dated=True)
    double = f"{a} {when.does(v)} {{}}, not {{}}, {thing}"
    forms = {
        "to": f"{a} {when.does(v)} {thing} to {{}} instead of {{}}",
        "cleft": f"{when.cleft} {{}} instead of {{}} to whom {a} {when.does(v)} {thing}",
    }
    again = forms[w.choose(*forms)]
    return _pairs(w, (double.format(b, c), again.format(b, c), again.format(c, b)), dated=False)


def _two_of(w: Words, more: bool) -> list[Pair]:
    """Returns a pair whose near miss swaps the numbers of two things."""
    n, m = w.order(*w.numbers())
    who, v, when = _somebody(w), w.verb("handle"), tense(w, dated=True)
    x, y = (thing.many for thing in w.nouns("things", 2))
    # Linked and placed in other ways than in the second sentence, so that shared pairs of words do not read the label.
    active, passive = f"{who} {when.does(v)} {{}} {{link}} {{}}", f"{{}} {{link}} {{}} {when.is_done(v, True)} by {who}"
    cleft = f"{when.cleft} {{}} {{link}} {{}} that {who} {when.does(v)}"
    forms = {"active to passive": (active, passive), "passive to active": (passive, active)}
    new = {"cleft to active": (cleft, active), "active to cleft": (active, cleft), "passive to cleft": (passive, cleft)}
    options = new if more else forms
    first, again = options[w.choose(*options)]
    links = {"and, as well as": ("and", "as well as"), "as well as, and": ("as well as", "and")}
    link, other = links[w.choose(*links)]
    of = f"of {determiner(w)}"
    things, others = [f"{n} {of} {x}", f"{m} {of} {y}"], [f"{m} {of} {x}", f"{n} {of} {y}"]
    # The second sentence lists the things in the other order.
    second = [again.format(*listed[::-1], link=other) for listed in (things, others)]
    return _pairs(w, (first.format(*things, link=link), *second), dated=False)


def _number(w: Words) -> list[Pair]:
    return _two_of(w, more=False)


def _two_numbers(w: Words) -> list[Pair]:
    """Test-only frame: cleft sentences."""
    return _two_of(w, more=True)


def _voice(w: Words) -> list[Pair]:
    (a, b), v, when = _people(w, 2), w.verb("social"), tense(w, dated=True)
    does, is_done = when.does(v), when.is_done(v)
    # From active to passive or back, so that the voice of a sentence does not tell its label.
    if w.choose("to passive", "to active") == "to passive":
        return _pairs(w, (f"{a} {does} {b}", f"{b} {is_done} by {a}", f"{a} {is_done} by {b}"))
    return _pairs(w, (f"{b} {is_done} by {a}", f"{a} {does} {b}", f"{b} {does} {a}"))


def _cleft(w: Words) -> list[Pair]:
    """Test-only frame: one of the sentences is a cleft that puts the agent first."""
    (a, b), v, when = _people(w, 2), w.verb("social"), tense(w, dated=True)
    plain, cleft = f"{{}} {when.does(v)} {{}}", f"{when.cleft} {{}} who {when.does(v)} {{}}"
    first, again = (plain, cleft) if w.choose("to cleft", "from cleft") == "to cleft" else (cleft, plain)
    return _pairs(w, (first.format(a, b), again.format(a, b), again.format(b, a)))


def _object_cleft(w: Words) -> list[Pair]:
    """Test-only frame: one of the sentences is a cleft that puts the object first."""
    (a, b), v, when = _people(w, 2), w.verb("social"), tense(w, dated=True)
    plain, cleft = f"{{0}} {when.does(v)} {{1}}", f"{when.cleft} {{1}} that {{0}} {when.does(v)}"
    first, again = (plain, cleft) if w.choose("to cleft", "from cleft") == "to cleft" else (cleft, plain)
    return _pairs(w, (first.format(a, b), again.format(a, b), again.format(b, a)))


def _dative(w: Words) -> list[Pair]:
    """Test-only frame: the dative alternation, "gave Ann a book" and "gave a book to Ann"."""
    (a, b), v, thing, when = _people(w, 2), w.verb("give"), w.noun("things").a(), tense(w, dated=True)
    double, to = f"{{}} {when.does(v)} {{}} {thing}", f"{{}} {when.does(v)} {thing} to {{}}"
    first, again = (double, to) if w.choose("double first", "to first") == "double first" else (to, double)
    return _pairs(w, (first.format(a, b), again.format(a, b), again.format(b, a)))


def _converse(w: Words) -> list[Pair]:
    """Test-only frame: opposite comparatives; to swap both is a paraphrase, to swap one is not."""
    a, b = _people(w, 2)
    more, less = w.order(*w.text("opposite").split())
    degree = w.choose("", "much ", "far ", "a little ")
    be = w.choose("is", "was")
    return _pairs(
        w,
        (
            f"{a} {be} {degree}{more} than {b}",
            f"{b} {be} {degree}{less} than {a}",
            f"{a} {be} {degree}{less} than {b}",
        ),
        dated=False,
    )


@dataclass(frozen=True)
class MrpcLite(LiteTask):
    """Paraphrase detection on generated sentences, with MRPC's labels but not its data.

    In the manner of Zhang et al. 2019, arXiv:1904.01130.
    """

    name = "mrpc-lite"
    version = 2
    output = Classes(("not_equivalent", "equivalent"))
    # Accuracy first, unlike MRPC: half of the pairs are paraphrases, so that a constant answer has an F1 of 0.667.
    metrics = ("accuracy", "f1")
    pairs = True
    description = "Generated pairs: alternations and synonyms against swapped roles and changed numbers"
    source = "in the manner of PAWS, Zhang et al. 2019, arXiv:1904.01130; shape of MRPC, Dolan & Brockett 2005"
    frames = (
        Frame("participant", _who),
        Frame("participant", _what),
        Frame("participant", _whom, new=True),
        Frame("number", _number),
        Frame("number", _two_numbers, new=True),
        Frame("synonym", _synonym_person),
        Frame("synonym", _synonym_deed),
        Frame("synonym", _synonym_thing),
        Frame("synonym", _synonym_social),
        Frame("synonym", _synonym_passive, new=True),
        Frame("synonym", _synonym_subject, new=True),
        Frame("roles", _voice),
        Frame("roles", _cleft, new=True),
        Frame("roles", _object_cleft, new=True),
        Frame("roles", _dative, new=True),
        Frame("roles", _converse, new=True),
    )
