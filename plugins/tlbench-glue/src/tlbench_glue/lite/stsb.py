"""`stsb-lite`: similarity of two sentences from 0 to 5, graded by what was changed.

A sentence has an agent, an action, an object and a time. The grade is the sum over the parts that the second sentence
keeps: 1.5 for the agent, 1 for the action, 2 for the object and 0.5 for the time. Replacing the object by one of the
same kind gives 0.5 instead of 2. Rewording (a passive, a different word order) does not change the grade. Scores are
not those of STS-B (Cer et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Scalar
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.lexicon import Verb, Words, sentence
from tlbench_glue.lite.lite_tasks import LiteTask

AGENT, ACTION, OBJECT, DETAIL = 1.5, 1.0, 2.0, 0.5
RELATED = 0.5
"""Points for the grammatical object of the second sentence if another noun of the same kind replaced it."""
GROUPS = ("animals", "foods", "things")


@dataclass(frozen=True)
class _Event:
    """An event: who did what to what, and when."""

    agent: str
    action: Verb
    object: str
    when: str

    def sentence_as(self, form: str) -> str:
        """Returns the event as a sentence of the given form."""
        a, v, o, t = self.agent, self.action, self.object, self.when
        if form == "active":
            return sentence(f"the {a} {v.past} the {o} {t}")
        if form == "fronted":
            return sentence(f"{t}, the {a} {v.past} the {o}")
        if form == "passive":
            return sentence(f"the {o} was {v.done} by the {a} {t}")
        if form == "fronted passive":
            return sentence(f"{t}, the {o} was {v.done} by the {a}")
        return sentence(f"it was the {o} that the {a} {v.past} {t}")


def _pair(
    w: Words, events: tuple[_Event, _Event], keeps: tuple[bool, ...], forms: tuple[str, ...], related: bool
) -> Pair:
    """Returns two examples on the first event: one keeps the parts in `keeps`, the other keeps the remaining parts."""
    base, other = events
    first = base.sentence_as("active")
    rows = []
    for kept in (keeps, tuple(not keep for keep in keeps)):
        agent, action, thing, when = kept
        event = _Event(
            base.agent if agent else other.agent,
            base.action if action else other.action,
            base.object if thing else other.object,
            base.when if when else other.when,
        )
        # bools count as 0 and 1; a related object earns its grade only where the object was replaced.
        grade = AGENT * agent + ACTION * action + OBJECT * thing + DETAIL * when + RELATED * (related and not thing)
        second = event.sentence_as(w.pick(forms))
        # Two equal strings would be trivial; another word order keeps the meaning.
        if second == first:
            second = event.sentence_as("fronted")
        rows.append(((first, second), grade))
    return rows[0], rows[1]


def _keeps(w: Words) -> tuple[bool, ...]:
    """Returns, for each of the four parts, whether the second sentence keeps it, drawn at random."""
    # Every number of kept parts is equally likely; four independent coins would make middling grades too frequent.
    count = w.rng.randrange(5)
    return tuple(w.order(*(i < count for i in range(4))))


def _events(w: Words, related: bool) -> tuple[_Event, _Event]:
    agents, actions, whens = w.nouns("people", 2), w.verbs("deeds", 2), w.texts("times", 2)
    if related:
        # Two nouns of one kind, such as two animals.
        _, _, (a, b) = w.kind(*GROUPS)
    else:
        # From two groups, so that the replaced object is unrelated.
        a = w.kind("animals", "foods")[2][0]
        b = w.kind("things")[2][0]
        a, b = w.order(a, b)
    objects = (a.one, b.one)
    first, second = (_Event(agents[i].one, actions[i], objects[i], whens[i]) for i in range(2))
    return first, second


def _base_form(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, False), _keeps(w), ("active", "fronted"), False)]


def _voice(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, False), _keeps(w), ("passive",), False)]


def _related(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, True), _keeps(w), ("active", "fronted", "passive"), True)]


def _base_form_cleft(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a cleft."""
    return [_pair(w, _events(w, False), _keeps(w), ("cleft",), False)]


def _voice_fronted(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a passive that begins with the time."""
    return [_pair(w, _events(w, False), _keeps(w), ("fronted passive",), False)]


def _related_cleft(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a cleft, or a passive that begins with the time."""
    return [_pair(w, _events(w, True), _keeps(w), ("cleft", "fronted passive"), True)]


def _roles(w: Words) -> list[Pair]:
    """Returns pairs with swapped roles, graded for the same action and time, plus 1.5 for the same people."""
    a, b, c, d = (n.one for n in w.nouns("people", 4))
    v, u = w.verbs("social", 2)
    s, t = w.texts("times", 2)
    form, reworded = w.pick(["active", "passive", "fronted"]), w.pick(["passive", "fronted"])
    first = _Event(a, v, b, s).sentence_as("active")
    near: Pair = (
        ((first, _Event(b, v, a, s).sentence_as(form)), ACTION + DETAIL + 1.5),
        ((first, _Event(a, u, c, s).sentence_as(form)), AGENT + DETAIL),
    )
    far: Pair = (
        ((first, _Event(a, v, b, s).sentence_as(reworded)), AGENT + ACTION + OBJECT + DETAIL),
        ((first, _Event(c, u, d, t).sentence_as(reworded)), 0.0),
    )
    # Swapped roles are graded in the middle; the far pair adds both ends of the scale.
    return [near] if w.chance(0.5) else [near, far]


@dataclass(frozen=True)
class StsbLite(LiteTask):
    """Graded similarity of generated sentences, from 0 to 5 as in STS-B but without its data.

    Cer et al. 2017, arXiv:1708.00055.
    """

    name = "stsb-lite"
    output = Scalar()
    metrics = ("pearson", "spearman")
    pairs = True
    description = "Generated pairs graded 0 to 5 by what was changed: agent, action, object, detail, roles"
    source = "shape of STS-B, Cer et al. 2017, arXiv:1708.00055"
    frames = (
        Frame("plain", _base_form),
        Frame("plain", _base_form_cleft, new=True),
        Frame("voice", _voice),
        Frame("voice", _voice_fronted, new=True),
        Frame("related", _related),
        Frame("related", _related_cleft, new=True),
        Frame("roles", _roles),
    )
