"""`mrpc-lite`: paraphrase detection; alternations and synonyms against swapped roles and changed numbers.

As in PAWS (Zhang et al. 2019), a negative example is a near miss that shares most words with the paraphrase. Scores are
not GLUE scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Classes
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.lexicon import Words, noun, sentence, verb
from tlbench_glue.lite.lite_tasks import LiteTask


def _pair(first: str, same: str, other: str) -> Pair:
    """Returns two examples: the first sentence with its paraphrase `same`, and with the near miss `other`."""
    start = sentence(first)
    return ((start, sentence(same)), 1), ((start, sentence(other)), 0)


def _two(w: Words) -> tuple[str, str]:
    """Returns two people, either as names or as nouns with an article."""
    if w.chance(0.5):
        a, b = w.names(2)
        return a, b
    a, b = (f"the {n.one}" for n in w.nouns("people", 2))
    return a, b


def _synonym_square(w: Words, key: str, template: str, second: str = "") -> list[Pair]:
    """Returns two pairs from two pairs of synonyms; every word is equally often in a paraphrase and in a near miss."""
    (a, b), (c, d) = w.synonyms(key)
    second = second or template

    def fill(template: str, entry: str) -> str:
        return template.format(noun=noun(entry), verb=verb(entry), entry=entry)

    return [
        _pair(fill(template, a), fill(second, b), fill(second, d)),
        _pair(fill(template, c), fill(second, d), fill(second, b)),
    ]


def _synonym_deed(w: Words) -> list[Pair]:
    return _synonym_square(w, "same_handle", f"{w.person().name} {{verb.past}} the {w.noun('things').one}")


def _synonym_social(w: Words) -> list[Pair]:
    a, b = _two(w)
    return _synonym_square(w, "same_social", f"{a} {{verb.past}} {b}")


def _synonym_passive(w: Words) -> list[Pair]:
    """Test-only frame: the paraphrase is in the passive and has a synonym of the verb."""
    a, b = w.names(2)
    return _synonym_square(w, "same_social", f"{a} {{verb.past}} {b}", f"{b} was {{verb.done}} by {a}")


def _synonym_person(w: Words) -> list[Pair]:
    return _synonym_square(w, "same_people", f"{w.person().name} {w.verb('social').past} the {{noun.one}}")


def _synonym_thing(w: Words) -> list[Pair]:
    return _synonym_square(w, "same_things", f"{w.person().name} {w.verb('perceive').past} the {{noun.one}}")


def _synonym_subject(w: Words) -> list[Pair]:
    """Test-only frame: the paraphrase has a synonym of the subject."""
    return _synonym_square(w, "same_people", f"the {{noun.one}} {w.verb('alone').past}")


def _who(w: Words) -> list[Pair]:
    """Returns a pair whose near miss has a different agent or a different patient."""
    a, b, c = w.names(3) if w.chance(0.5) else [f"the {n.one}" for n in w.nouns("people", 3)]
    v = w.verb("social")
    if w.chance(0.5):
        first, again = f"{a} {v.past} {b}", f"{{}} was {v.done} by {{}}"
        return [_pair(first, again.format(b, a), w.pick([again.format(b, c), again.format(c, a)]))]
    first, again = f"{b} was {v.done} by {a}", f"{{}} {v.past} {{}}"
    return [_pair(first, again.format(a, b), w.pick([again.format(c, b), again.format(a, c)]))]


def _what(w: Words) -> list[Pair]:
    who, v, (x, y) = w.person().name, w.verb("handle"), w.nouns("things", 2)
    again = w.pick([f"the {{}} was {v.done} by {who}", f"it was the {{}} that {who} {v.past}"])
    # Both things serve as the original once, so that neither predicts a label.
    return [
        _pair(f"{who} {v.past} the {x.one}", again.format(x.one), again.format(y.one)),
        _pair(f"{who} {v.past} the {y.one}", again.format(y.one), again.format(x.one)),
    ]


def _whom(w: Words) -> list[Pair]:
    """Test-only frame: the near miss has a different recipient."""
    a, b, c = w.names(3)
    v, thing = w.verb("give"), w.noun("things").a()
    return [_pair(f"{a} {v.past} {b} {thing}", f"{a} {v.past} {thing} to {b}", f"{a} {v.past} {thing} to {c}")]


def _number(w: Words) -> list[Pair]:
    n, m = w.order(*w.numbers())
    who, things, v = w.person().name, w.noun("things").many, w.verb("handle")
    again = w.pick([f"{{}} {things} were {v.done} by {who}", f"it was {{}} {things} that {who} {v.past}"])
    # Both numbers serve as the original once, so that neither predicts a label.
    return [
        _pair(f"{who} {v.past} {n} {things}", again.format(n), again.format(m)),
        _pair(f"{who} {v.past} {m} {things}", again.format(m), again.format(n)),
    ]


def _two_numbers(w: Words) -> list[Pair]:
    """Test-only frame: the near miss swaps two numbers."""
    n, m = w.order(*w.numbers())
    who, v = w.person().name, w.verb("handle").past
    x, y = (t.many for t in w.nouns("things", 2))
    return [_pair(f"{who} {v} {n} {x} and {m} {y}", f"{who} {v} {m} {y} and {n} {x}", f"{who} {v} {m} {x} and {n} {y}")]


def _voice(w: Words) -> list[Pair]:
    (a, b), v = _two(w), w.verb("social")
    # From active to passive or back, so that the voice of a sentence does not tell its label.
    if w.chance(0.5):
        return [_pair(f"{a} {v.past} {b}", f"{b} was {v.done} by {a}", f"{a} was {v.done} by {b}")]
    return [_pair(f"{b} was {v.done} by {a}", f"{a} {v.past} {b}", f"{b} {v.past} {a}")]


def _cleft(w: Words) -> list[Pair]:
    (a, b), v = _two(w), w.verb("social").past
    return [_pair(f"{a} {v} {b}", f"it was {a} who {v} {b}", f"it was {b} who {v} {a}")]


def _object_cleft(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a cleft that puts the object first."""
    (a, b), v = _two(w), w.verb("social").past
    return [_pair(f"{a} {v} {b}", f"it was {b} that {a} {v}", f"it was {a} that {b} {v}")]


def _dative(w: Words) -> list[Pair]:
    (a, b), v, thing = w.names(2), w.verb("give").past, w.noun("things").a()
    # The dative alternation: "gave Ann a book", "gave a book to Ann".
    double, to = f"{{}} {v} {{}} {thing}", f"{{}} {v} {thing} to {{}}"
    first, other = w.order(double, to)
    return [_pair(first.format(a, b), other.format(a, b), other.format(b, a))]


def _converse(w: Words) -> list[Pair]:
    a, b = w.names(2)
    # Opposite comparatives, such as "older younger": swapping both is a paraphrase, swapping one is not.
    more, less = w.order(*w.text("opposite").split())
    return [_pair(f"{a} is {more} than {b}", f"{b} is {less} than {a}", f"{a} is {less} than {b}")]


@dataclass(frozen=True)
class MrpcLite(LiteTask):
    """Paraphrase detection on generated sentences, with MRPC's labels but not its data.

    In the manner of Zhang et al. 2019, arXiv:1904.01130.
    """

    name = "mrpc-lite"
    output = Classes(("not_equivalent", "equivalent"))
    metrics = ("f1", "accuracy")
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
