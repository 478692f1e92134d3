"""`stsb-lite`: similarity of two sentences from 0 to 5, graded by what was changed.

A sentence has an agent, an action, an object and a time. The grade is the sum over the parts that the second sentence
keeps: 1.5 for the agent, 1 for the action, 2 for the object and 0.5 for the time. Replacing the object by one of the
same kind gives 0.5 instead of 2. Rewording (a synonym, a passive, another word order) does not change the grade.

Shared words do not read the grade: what is kept is said in a synonym where there is one, and what is changed sometimes
stands elsewhere in the sentence ("the coat, not the cup"). Scores are not those of STS-B (Cer et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Scalar
from tlbench_glue.lite.draw import Frame, Pair
from tlbench_glue.lite.grammar import Tense, surroundings, tense
from tlbench_glue.lite.lexicon import Verb, Words, noun, sentence, verb
from tlbench_glue.lite.lite_tasks import LiteTask

AGENT, ACTION, OBJECT, DETAIL = 1.5, 1.0, 2.0, 0.5
RELATED = 0.5
"""Points for the grammatical object of the second sentence if another noun of the same kind replaced it."""
KINDS = ("animals", "foods", "things")

FORMS = {
    "active": "{a} {does} {o} {t}",
    "date first": "{t}, {a} {does} {o}",
    "passive": "{o} {is_done} by {a} {t}",
    "passive, date first": "{t}, {o} {is_done} by {a}",
    "cleft": "{it} {o} that {a} {does} {t}",
    "cleft of the agent": "{it} {a} who {does} {o} {t}",
}
DETERMINERS = ("the", "this", "our")
NO_CONTRAST = ("no contrast",) * 6
"""Two in three sentences: with fewer of them, a frozen encoder that reads what a sentence is about is at a loss."""
CONTRASTS = (*NO_CONTRAST, "contrast of objects", "contrast of agents", "contrast of actions")
"""What each sentence also names, although it is not about it: so that shared words do not read the grade."""
NAMED = (*NO_CONTRAST, "contrast of objects", "contrast of actions", "contrast of objects and actions")
"""The contrasts of parts that have no synonyms."""

Ways = tuple[str, str]
"""A noun or verb and its synonym, as entries of the lexicon."""


@dataclass(frozen=True)
class _Event:
    """An event: who did what to what, and when."""

    agent: str
    action: Verb
    object: str
    when: str
    not_done: Verb | None = None
    """An action that was not done, if the sentence names one."""

    def sentence_as(self, form: str, tense: Tense, around: str = "{}") -> str:
        """Returns the event as a sentence of the given form, within the words of `around`."""
        does, is_done = tense.does(self.action), tense.is_done(self.action)
        if self.not_done:
            does = f"{does} but {tense.does_not(self.not_done)}"
            is_done = f"{is_done} but not {self.not_done.done}"
        text = FORMS[form].format(
            a=self.agent,
            o=self.object,
            t=self.when,
            it=tense.cleft,
            does=does,
            is_done=is_done,
        )
        # A contrast ends with a comma, for what follows it.
        return sentence(around.replace("{}", text.strip(" ,")))


@dataclass(frozen=True)
class _Parts:
    """Two events without a part in common: of each part, how it can be said in the one and in the other."""

    agents: tuple[Ways, Ways]
    actions: tuple[Ways, Ways]
    objects: tuple[Ways, Ways]
    times: tuple[str, str]
    related: bool = False
    """Whether the two objects are of one kind."""


def _phrase(determiner: str, entry: str, other: str, contrast: bool) -> str:
    phrase = f"{determiner} {noun(entry).one}"
    return f"{phrase}, not {determiner} {noun(other).one}," if contrast else phrase


def _event(w: Words, parts: _Parts, which: tuple[int, ...], contrast: str, way: int) -> _Event:
    """Returns an event.

    Args:
        w: Where the determiner comes from.
        parts: What it is made of.
        which: For agent, action, object and time, whether it is that of the first event, 0, or of the second, 1.
        contrast: Of which part the sentence also names the other one.
        way: Which of its two words says each part: 0 in the first sentence, 1, the synonym, in the second.
    """
    agent, action, thing, when = which
    the = w.pick(DETERMINERS)
    return _Event(
        _phrase(the, parts.agents[agent][way], parts.agents[1 - agent][way], "agents" in contrast),
        verb(parts.actions[action][way]),
        _phrase(the, parts.objects[thing][way], parts.objects[1 - thing][way], "objects" in contrast),
        parts.times[when],
        verb(parts.actions[1 - action][way]) if "actions" in contrast else None,
    )


def _pair(w: Words, parts: _Parts, forms: tuple[str, ...], contrasts: tuple[str, ...] = CONTRASTS) -> list[Pair]:
    """Returns a pair on one first sentence: one example keeps some of its parts, the other example the others."""
    when, contrast = tense(w, dated=True), w.choose(*contrasts)
    around, again, form = surroundings(w), surroundings(w), w.choose(*forms)
    first = _event(w, parts, (0, 0, 0, 0), contrast, 0).sentence_as("active", when, around)
    keeps = _keeps(w)
    rows = []
    for kept in (keeps, tuple(not keep for keep in keeps)):
        event = _event(w, parts, tuple(0 if keep else 1 for keep in kept), contrast, 1)
        grade = sum((g for g, keep in zip((AGENT, ACTION, OBJECT, DETAIL), kept, strict=True) if keep), start=0.0)
        # A related object earns its grade only where the object was replaced.
        grade += RELATED if parts.related and not kept[2] else 0
        rows.append(((first, event.sentence_as(form, when, again)), grade))
    return [(rows[0], rows[1])]


def _keeps(w: Words) -> tuple[bool, ...]:
    """Returns, for agent, action, object and time, whether the second sentence keeps it, drawn at random."""
    # Every number of kept parts is equally likely; independent coins would make middling grades too frequent.
    count = w.rng.randrange(4)
    return (*w.order(*(i < count for i in range(3))), w.chance(0.5))


def _unrelated(w: Words) -> _Parts:
    one, other = w.texts("times", 2)
    return _Parts(w.synonyms("same_people"), w.synonyms("event_deeds"), w.synonyms("event_objects"), (one, other))


def _of_one_kind(w: Words) -> _Parts:
    # Two nouns of one kind, such as two animals, and verbs that go with all kinds; these have no synonyms.
    _, _, (a, b) = w.kind(*KINDS)
    s, t = w.texts("deeds", 2)
    one, other = w.texts("times", 2)
    return _Parts(w.synonyms("same_people"), ((s, s), (t, t)), ((a.one, a.one), (b.one, b.one)), (one, other), True)


def _base_form(w: Words) -> list[Pair]:
    return _pair(w, _unrelated(w), ("active", "date first"))


def _voice(w: Words) -> list[Pair]:
    return _pair(w, _unrelated(w), ("passive",))


def _related(w: Words) -> list[Pair]:
    return _pair(w, _of_one_kind(w), ("active", "date first", "passive"), NAMED)


def _base_form_cleft(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a cleft."""
    return _pair(w, _unrelated(w), ("cleft", "cleft of the agent"))


def _voice_fronted(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a passive that begins with the time."""
    return _pair(w, _unrelated(w), ("passive, date first",))


def _related_cleft(w: Words) -> list[Pair]:
    """Test-only frame: the second sentence is a cleft, or a passive that begins with the time."""
    return _pair(w, _of_one_kind(w), ("cleft", "cleft of the agent", "passive, date first"), NAMED)


def _strangers(w: Words) -> list[str]:
    """Returns two people who are none of those that have synonyms."""
    paired = {word for pair in w.entries("same_people") for word in pair.split()}
    return w.order(*(entry for entry in w.entries("people") if entry not in paired))[:2]


def _roles(w: Words) -> list[Pair]:
    """Returns a pair on one first sentence: the first example keeps or swaps roles in other words.

    Swapped roles are graded for the same action and time, plus 1.5 for the same people.
    """
    (a, also_a), (b, also_b) = w.synonyms("same_people")
    (v, also_v), (u, _) = w.synonyms("same_social")
    c, d = _strangers(w)
    s, t = w.texts("times", 2)
    the, again = w.pick(DETERMINERS), w.pick(DETERMINERS)
    when, around, other = tense(w, dated=True), surroundings(w), surroundings(w)
    form = w.choose("active", "date first", "passive", "passive, date first")

    def event(the: str, agent: str, action: str, patient: str, when: str) -> _Event:
        return _Event(f"{the} {noun(agent).one}", verb(action), f"{the} {noun(patient).one}", when)

    first = event(the, a, v, b, s).sentence_as("active", when, around)
    if w.chance(0.5):
        # The better match shares no content word but the time, the worse one shares all but that.
        high, grade = event(again, also_a, also_v, also_b, s), AGENT + ACTION + OBJECT + DETAIL
        low, lower = event(again, b, v, a, t), ACTION + 1.5
    else:
        high, grade = event(again, also_b, also_v, also_a, s), ACTION + DETAIL + 1.5
        low, lower = event(again, c, u, d, t), 0.0
    return [
        (
            ((first, high.sentence_as(form, when, other)), grade),
            ((first, low.sentence_as(form, when, other)), lower),
        )
    ]


@dataclass(frozen=True)
class StsbLite(LiteTask):
    """Graded similarity of generated sentences, from 0 to 5 as in STS-B but without its data.

    Cer et al. 2017, arXiv:1708.00055.
    """

    name = "stsb-lite"
    version = 2
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
