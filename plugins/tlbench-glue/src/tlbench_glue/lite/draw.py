"""Draws distinct examples, balanced over labels and phenomena, reproducibly on every machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from tlbench import Example, Examples, UsageError
from tlbench_glue.lite.lexicon import Split, Words

Inputs = tuple[str, ...]
Pair = tuple[tuple[Inputs, float], tuple[Inputs, float]]
"""Two examples with opposite labels, or different grades, made of the same words."""
Make = Callable[[Words], list[Pair]]

HELD_OUT = 3
"""One of this many templates of a frame is in the test split, and in no other."""
PATIENCE = 1000
"""Number of consecutive draws without a new example after which a frame counts as exhausted."""


@dataclass(frozen=True)
class Frame:
    """A construction with the phenomenon that it tests; the choices of form that it makes give it many templates."""

    phenomenon: str
    make: Make
    new: bool = False
    """Whether the frame is used in the test split only, to test generalisation to unseen constructions."""
    weight: int = 1
    """Relative frequency among the frames of the same phenomenon; new frames are weighted separately."""


def draw(task: str, frames: Sequence[Frame], split: Split, n: int, seed: int) -> Examples:
    """Returns n distinct examples, with as many of each label, up to one, in every phenomenon.

    The train and validation splits do not use frames that are marked as new. In the test split, a third of a
    phenomenon's draws are from its new frames, if it has any. No template of the test split is in another one.

    Train and validation have all examples that a frame makes in one call, so that words and lengths do not predict the
    label. The test split has one of them, drawn at random, so that its labels are not balanced within a template.

    The group of a test example is its template: a model that fails on one sentence of a template mostly fails on the
    others too. Examples of train and validation have no groups: no split is divided by template.

    Raises:
        UsageError: The words and frames give fewer distinct examples than n.
    """
    # Seeded by a text: Random hashes it with SHA-512, which is the same in every process and Python version.
    rng = Random(f"{task}/{split}/{seed}")
    words = Words(split, rng)
    cycles = _cycles(frames, split)
    seen: set[Inputs] = set()
    rows: list[Example] = []
    lead: Counter[str] = Counter()
    turn = 0
    while len(rows) < n and cycles:
        cycle = cycles[turn % len(cycles)]
        turn += 1
        frame = cycle.next()
        pairs = _new_pairs(frame, words, split, seen)
        if not pairs:
            cycle.drop(frame)
            cycles = [cycle for cycle in cycles if cycle.frames]
            continue
        group = template(frame, words) if split == "test" else ""
        slices = {"phenomenon": frame.phenomenon, "frame": "new" if frame.new else "seen"}
        kept = [row for pair in pairs for row in pair]
        if split == "test":
            kept = [_one_of(pairs[rng.randrange(len(pairs))], frame.phenomenon, lead, rng)]
        rows += [
            Example(f"{split}-{len(rows) + i:05d}", inputs, target, slices, group)
            for i, (inputs, target) in enumerate(kept)
        ]
        seen.update(inputs for pair in pairs for inputs, _ in pair)
    if len(rows) < n:
        raise UsageError(f"{task}: {split}={n} is too many; there are {len(rows)} distinct examples")
    # The last frame may have given more examples than were needed.
    del rows[n:]
    # After cutting to size, since the draws are in a fixed rotation of phenomena.
    rng.shuffle(rows)
    return Examples(rows)


def template(frame: Frame, words: Words) -> str:
    """Returns the frame's name and the choices of form that were made last."""
    return " / ".join([frame.make.__name__.lstrip("_"), *words.form])


def is_held_out(frame: Frame, words: Words) -> bool:
    """Returns whether the template that was made last belongs to the test split."""
    # A hash of the text alone: the same in every process, for every seed and size.
    return frame.new or sha256(template(frame, words).encode()).digest()[0] % HELD_OUT == 0


def _one_of(pair: Pair, phenomenon: str, lead: Counter[str], rng: Random) -> tuple[Inputs, float]:
    """Returns one example of a pair, at random where the phenomenon's labels are balanced, else what balances them.

    Args:
        pair: The two examples.
        phenomenon: Their phenomenon.
        lead: For each phenomenon, how many examples with the higher target there are more than with the lower one.
        rng: Where randomness comes from.
    """
    low, high = sorted(pair, key=lambda row: row[1])
    higher = rng.random() < 0.5 if lead[phenomenon] == 0 else lead[phenomenon] < 0
    lead[phenomenon] += 1 if higher else -1
    return high if higher else low


class _FrameCycle:
    """Cycles through the frames of one phenomenon; if some of the frames are new, every third turn is a new frame."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        seen = [f for f in frames if not f.new for _ in range(f.weight)]
        new = [f for f in frames if f.new for _ in range(f.weight)]
        self.share = max(1, len(seen))
        # Enough turns for each frame to occur at least once.
        turns = max(len(seen), 2 * len(new)) if seen else len(new)
        self.frames = []
        for turn in range(turns):
            self.frames += seen[turn % len(seen) :][:1] if seen else []
            # After every second frame that is not new.
            if new and (turn % 2 or not seen):
                self.frames.append(new[turn // 2 % len(new)])
        self._at = -1

    def next(self) -> Frame:
        """Returns the next frame."""
        self._at = (self._at + 1) % len(self.frames)
        return self.frames[self._at]

    def drop(self, frame: Frame) -> None:
        """Removes an exhausted frame."""
        self.frames = [f for f in self.frames if f is not frame]


def _cycles(frames: Sequence[Frame], split: Split) -> list[_FrameCycle]:
    """Returns one round of turns: for each turn, the cycle of the phenomenon to draw from."""
    usable = [f for f in frames if split == "test" or not f.new]
    phenomena = dict.fromkeys(f.phenomenon for f in usable)
    cycles = [_FrameCycle([f for f in usable if f.phenomenon == p]) for p in phenomena]
    # A phenomenon with more weight has more turns per round, spread over the round.
    return [cycle for turn in range(max(cycle.share for cycle in cycles)) for cycle in cycles if turn < cycle.share]


def _new_pairs(frame: Frame, words: Words, split: Split, seen: set[Inputs]) -> list[Pair]:
    """Returns pairs of one of the split's templates that were not drawn before, or [] if the frame is exhausted."""
    for _ in range(PATIENCE):
        words.form.clear()
        pairs = frame.make(words)
        if is_held_out(frame, words) != (split == "test"):
            continue
        inputs = [i for pair in pairs for i, _ in pair]
        # All pairs of one call are used, or none: a pair without the others would let single words predict the label.
        if len(set(inputs)) == len(inputs) and not seen.intersection(inputs):
            return pairs
    return []
