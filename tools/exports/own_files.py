"""Small files of a user's own data, one for each kind of task."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

ROWS = 120
_GOOD, _BAD = ("warm", "bright", "gentle", "lively"), ("cold", "dull", "cruel", "empty")
_THINGS = ("film", "book", "song", "play", "meal", "garden", "house", "story")
_NAMES = ("Ada", "Bruno", "Clara", "Dario", "Edith", "Felix")
_PLACES = ("Arden", "Bree", "Dunmore", "Elland")
_SIDE = 40


def write_files(folder: Path) -> None:
    """Writes reviews, topics, lengths, names, questions, summaries and pictures into an existing folder."""
    draw = random.Random(0)
    reviews, topics, lengths = [], [], []
    for i in range(ROWS):
        good = [draw.choice(_GOOD) for _ in range(draw.randint(0, 2))] or ([draw.choice(_GOOD)] if i % 2 else [])
        bad = [draw.choice(_BAD) for _ in range(draw.randint(0, 2))] if not good or i % 3 == 0 else []
        words = good + bad or [draw.choice(_BAD)]
        text = f"number {i}: a {' and '.join(words)} {draw.choice(_THINGS)} from {draw.choice(_PLACES)}"
        reviews.append((text, "good" if len(good) > len(bad) else "bad"))
        topics.append((text, int(bool(good)), int(bool(bad)), i % 2))
        lengths.append((text, f"{len(good) - len(bad) + 0.25 * len(words):.2f}"))
    _table(folder / "reviews.csv", ("text", "stars"), reviews)
    _table(folder / "topics.csv", ("text", "praise", "blame", "odd"), topics)
    _table(folder / "lengths.csv", ("text", "number"), lengths)
    (folder / "names.conll").write_text("\n\n".join(_tagged(draw) for _ in range(ROWS)) + "\n")
    paragraphs = [_question(draw, i) for i in range(ROWS)]
    (folder / "questions.json").write_text(json.dumps({"data": [{"title": "own", "paragraphs": paragraphs}]}))
    lines = [json.dumps({"text": text, "summary": stars}) for text, stars in reviews]
    (folder / "summaries.jsonl").write_text("\n".join(lines) + "\n")
    _pictures(folder / "pictures", draw)


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _tagged(draw: random.Random) -> str:
    words = [("the", "O"), (draw.choice(_THINGS), "O"), ("of", "O"), (draw.choice(_NAMES), "B-PER"), ("in", "O")]
    words.append((draw.choice(_PLACES), "B-LOC"))
    # The other order too, so that places in a sentence do not give the tags away.
    return "\n".join(f"{word} {tag}" for word, tag in (words[4:] + words[:4] if draw.random() < 0.5 else words))


def _question(draw: random.Random, number: int) -> dict[str, object]:
    name, place, thing = draw.choice(_NAMES), draw.choice(_PLACES), draw.choice(_THINGS)
    context = f"The {thing} of {name} was found in {place}, near road {number}."
    answer, question = (name, f"Whose is the {thing}?") if number % 2 else (place, f"Where was the {thing}?")
    found = {"text": answer, "answer_start": context.index(answer)}
    return {"context": context, "qas": [{"id": str(number), "question": question, "answers": [found]}]}


def _pictures(folder: Path, draw: random.Random) -> None:
    from PIL import Image

    for name, low in (("bright", 150), ("dark", 0)):
        (folder / name).mkdir(parents=True)
        for i in range(ROWS // 4):
            pixels = bytes(draw.randint(low, low + 105) for _ in range(_SIDE * _SIDE * 3))
            Image.frombytes("RGB", (_SIDE, _SIDE), pixels).save(folder / name / f"{i}.png")
