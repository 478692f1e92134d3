"""Drawing a split: distinct, balanced over labels and phenomena, and the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tlbench import Example, Examples, UsageError
from tlbench_glue.lite.lexicon import Split, Words

Inputs = tuple[str, ...]
Pair = tuple[tuple[Inputs, float], tuple[Inputs, float]]
"""Two examples of opposite label (or of different grade) made of the same words."""
Make = Callable[[Words], list[Pair]]

PATIENCE = 400
"""How many draws in a row may bring nothing new before a frame counts as used up."""


@dataclass(frozen=True)
class Frame:
    """A way to make sentences: what it tests, how, and whether the train split has it."""

    phenomenon: str
    make: Make
    new: bool = False
    weight: int = 1
    """How often it is used beside the other frames; of a new frame, beside the new ones of its phenomenon."""


def draw(task: str, frames: Sequence[Frame], split: Split, n: int, seed: int) -> Examples:
    """Returns n distinct examples, the labels as often as each other in every phenomenon.

    Train and validation use the frames that are not new; in the test split a third of the draws are from a new
    frame, where the phenomenon has one. A frame's pairs stay together, so words and lengths tell nothing.

    Raises:
        UsageError: So many distinct examples cannot be made of these words.
    """
    rng = Random(f"{task}/{split}/{seed}")
    words = Words(split, rng)
    wheels = _wheels(frames, split)
    seen: set[Inputs] = set()
    rows: list[Example] = []
    turn = 0
    while len(rows) < n and wheels:
        wheel = wheels[turn % len(wheels)]
        turn += 1
        frame = wheel.next()
        pairs = _fresh(frame, words, seen)
        if not pairs:
            wheel.drop(frame)
            wheels = [w for w in wheels if w.frames]
            continue
        for pair in pairs:
            for inputs, target in pair:
                slices = {"phenomenon": frame.phenomenon, "frame": "new" if frame.new else "seen"}
                rows.append(Example(f"{split}-{len(rows):05d}", inputs, target, slices))
                seen.add(inputs)
    if len(rows) < n:
        raise UsageError(f"{task}: {split}={n} is more than can be drawn; there are {len(rows)} distinct examples")
    del rows[n:]
    rng.shuffle(rows)
    return Examples(rows)


class _Wheel:
    """The frames of one phenomenon, taken in turn; with new frames, every third turn is a new one."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        seen = [f for f in frames if not f.new for _ in range(f.weight)]
        new = [f for f in frames if f.new for _ in range(f.weight)]
        self.share = max(1, len(seen))
        turns = max(len(seen), 2 * len(new)) if seen else len(new)
        self.frames = []
        for turn in range(turns):
            self.frames += seen[turn % len(seen) :][:1] if seen else []
            if new and (turn % 2 or not seen):
                self.frames.append(new[turn // 2 % len(new)])
        self._at = -1

    def next(self) -> Frame:
        """Returns the frame whose turn it is."""
        self._at = (self._at + 1) % len(self.frames)
        return self.frames[self._at]

    def drop(self, frame: Frame) -> None:
        """Leaves a frame out from now on."""
        self.frames = [f for f in self.frames if f is not frame]


def _wheels(frames: Sequence[Frame], split: Split) -> list[_Wheel]:
    usable = [f for f in frames if split == "test" or not f.new]
    phenomena = dict.fromkeys(f.phenomenon for f in usable)
    wheels = [_Wheel([f for f in usable if f.phenomenon == p]) for p in phenomena]
    return [wheel for turn in range(max(w.share for w in wheels)) for wheel in wheels if turn < wheel.share]


def _fresh(frame: Frame, words: Words, seen: set[Inputs]) -> list[Pair]:
    for _ in range(PATIENCE):
        pairs = frame.make(words)
        inputs = [i for pair in pairs for i, _ in pair]
        if len(set(inputs)) == len(inputs) and not seen.intersection(inputs):
            return pairs
    return []
