"""`stsb-lite`: how similar are two sentences, from 0 to 5? The grade follows from what was changed.

A sentence says who did what to what, and when. What the second sentence keeps adds up: the agent 1.5, the action 1,
the object 2, the detail 0.5; of an object that became a related one 0.5 or, a wider one, 1.5. Another wording (a
passive, a synonym, another order) changes nothing. In the shape of STS-B (Cer et al. 2017). Scores on it are not GLUE
scores.
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Scalar
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.lexicon import Verb, Words, sentence
from tlbench_glue.lite.lite_tasks import LiteTask

AGENT, ACTION, OBJECT, DETAIL = 1.5, 1.0, 2.0, 0.5
RELATED = 0.5
"""What a related object keeps, and what a wider word loses."""
GROUPS = ("animals", "foods", "things")


@dataclass(frozen=True)
class _Event:
    """Who did what to what, and when."""

    agent: str
    action: Verb
    object: str
    when: str

    def say(self, form: str) -> str:
        """Returns the event as a sentence of this form."""
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
    """Returns two examples on the first event: one keeps these parts, the other keeps the rest."""
    base, other = events
    first = base.say("active")
    rows = []
    for kept in (keeps, tuple(not keep for keep in keeps)):
        agent, action, thing, when = kept
        event = _Event(
            base.agent if agent else other.agent,
            base.action if action else other.action,
            base.object if thing else other.object,
            base.when if when else other.when,
        )
        grade = AGENT * agent + ACTION * action + OBJECT * thing + DETAIL * when + RELATED * (related and not thing)
        second = event.say(w.pick(forms))
        if second == first:
            second = event.say("fronted")
        rows.append(((first, second), grade))
    return rows[0], rows[1]


def _keeps(w: Words) -> tuple[bool, ...]:
    """Returns which of the four parts stay; any number of them is as likely as any other, so grades spread out."""
    count = w.rng.randrange(5)
    return tuple(w.order(*(i < count for i in range(4))))


def _events(w: Words, related: bool) -> tuple[_Event, _Event]:
    agents, actions, whens = w.nouns("people", 2), w.verbs("deeds", 2), w.texts("times", 2)
    if related:
        _, _, (a, b) = w.kind(*GROUPS)
    else:
        a = w.kind("animals", "foods")[2][0]
        b = w.kind("things")[2][0]
        a, b = w.order(a, b)
    objects = (a.one, b.one)
    first, second = (_Event(agents[i].one, actions[i], objects[i], whens[i]) for i in range(2))
    return first, second


def _plain(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, False), _keeps(w), ("active", "fronted"), False)]


def _voice(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, False), _keeps(w), ("passive",), False)]


def _related(w: Words) -> list[Pair]:
    return [_pair(w, _events(w, True), _keeps(w), ("active", "fronted", "passive"), True)]


def _plain_cleft(w: Words) -> list[Pair]:
    """New: the second sentence is a cleft."""
    return [_pair(w, _events(w, False), _keeps(w), ("cleft",), False)]


def _voice_fronted(w: Words) -> list[Pair]:
    """New: a passive with the time in front."""
    return [_pair(w, _events(w, False), _keeps(w), ("fronted passive",), False)]


def _related_cleft(w: Words) -> list[Pair]:
    """New: the second sentence is a cleft, or a passive with the time in front."""
    return [_pair(w, _events(w, True), _keeps(w), ("cleft", "fronted passive"), True)]


def _roles(w: Words) -> list[Pair]:
    """Swapped roles keep the action, the detail and 1.5 for the people named."""
    a, b, c, d = (n.one for n in w.nouns("people", 4))
    v, u = w.verbs("social", 2)
    s, t = w.texts("times", 2)
    form, again = w.pick(["active", "passive", "fronted"]), w.pick(["passive", "fronted"])
    first = _Event(a, v, b, s).say("active")
    near: Pair = (
        ((first, _Event(b, v, a, s).say(form)), ACTION + DETAIL + 1.5),
        ((first, _Event(a, u, c, s).say(form)), AGENT + DETAIL),
    )
    far: Pair = (
        ((first, _Event(a, v, b, s).say(again)), AGENT + ACTION + OBJECT + DETAIL),
        ((first, _Event(c, u, d, t).say(again)), 0.0),
    )
    return [near] if w.chance(0.5) else [near, far]


@dataclass(frozen=True)
class StsbLite(LiteTask):
    """Graded similarity of generated sentences, in the shape of STS-B; not STS-B."""

    name = "stsb-lite"
    output = Scalar()
    metrics = ("pearson", "spearman")
    description = "Generated pairs graded 0 to 5 by what was changed: agent, action, object, detail, roles"
    source = "shape of STS-B, Cer et al. 2017, arXiv:1708.00055"
    frames = (
        Frame("plain", _plain),
        Frame("plain", _plain_cleft, new=True),
        Frame("voice", _voice),
        Frame("voice", _voice_fronted, new=True),
        Frame("related", _related),
        Frame("related", _related_cleft, new=True),
        Frame("roles", _roles),
    )
