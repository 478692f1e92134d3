"""The section "Label efficiency" in every format."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest
from rich.console import Console

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import FitResult, Record, TestScore
from tlbench.results.leaderboard import frame
from tlbench.results.render.formats import FORMATS
from tlbench.results.render.formats.terminal import Leaderboard
from tlbench.results.render.page import Page
from tlbench.testing.conformance.media import HOSTILE, Medium, taken_for_commands

SIZES = {0.01: 10, 0.1: 100, None: 1000}
SCORES = {("full", "b"): (0.6, 0.7, 0.8), ("probe", "b"): (0.5, 0.52, 0.53), ("tfidf", ""): (0.5, 0.6, 0.7)}
"""With intervals of 0.05 to each side."""


def page_of(name: str = "", seeds: int = 3, sizes: Sequence[float | None] = tuple(SIZES)) -> Page:
    """Returns a page of three strategies at each size, with a hostile text at both ends of each name."""

    def named(text: str) -> Ref:
        # The reference keeps its name, which says that it has no pretrained weights.
        return Ref(f"{name} {text} {name}".strip(" "))

    records = []
    for (strategy, backbone), values in SCORES.items():
        for fraction, value in zip(SIZES, values, strict=True):
            if fraction in sizes:
                protocol = Protocol(seeds=tuple(range(seeds)), train_fraction=fraction)
                cell = Cell(named("trec"), named(strategy), protocol, named(backbone) if backbone else None)
                fits = [FitResult({}, s, "final", 0, "ok", train_examples=SIZES[fraction]) for s in range(seeds)]
                found = [TestScore("accuracy", s, value, value - 0.05, value + 0.05, 400) for s in range(seeds)]
                records.append(Record(cell, "ok", metrics=("accuracy",), fits=tuple(fits), scores=tuple(found)))
    table = frame(records)
    if seeds > 2:
        # What a table of stored predictions has.
        table["low"], table["high"], table["interval_of"] = table["value"] - 0.05, table["value"] + 0.05, "strategy"
    return Page(table, "example")


def test_the_table_has_a_score_at_each_size_and_the_sentences_say_what_is_saved() -> None:
    markdown = FORMATS["markdown"].render(page_of())
    section = markdown[markdown.index("## Label efficiency") : markdown.index("## How to read")]
    assert section.splitlines()[2:] == [
        "### `trec`",
        "",
        "accuracy.",
        "",
        "| backbone | strategy | 10 examples | 100 | 1,000 |",
        "| --- | --- | ---: | ---: | ---: |",
        "| `b` | `full` | 60.0 (55.0\u201365.0) | 70.0 (65.0\u201375.0) | 80.0 (75.0\u201385.0) |",
        "| - | `tfidf` | 50.0 (45.0\u201355.0) | 60.0 (55.0\u201365.0) | 70.0 (65.0\u201375.0) |",
        "| `b` | `probe` | 50.0 (45.0\u201355.0) | 52.0 (47.0\u201357.0) | 53.0 (48.0\u201358.0) |",
        "",
        "- full on b against tfidf, at equal score: 10 examples instead of about 100 (95%: 20 to 510); 100 instead of "
        "about 1,000 (95%: at least 200); 1,000 instead of more than 1,000.",
        "- probe on b against tfidf, at equal score: 10 examples not told apart from as many; 100 instead of about 16 "
        "(95%: at most 81); 1,000 instead of about 20 (95%: at most 100).",
        "",
    ]
    assert "- label efficiency: the score at each number" in markdown


@pytest.mark.parametrize(
    ("width", "score"), [(100, "60.0 (55.0\u201365.0)"), (64, "(55.0\u201365.0)"), (44, "60.0 70.0  80.0")]
)
def test_the_terminal_shows_scores_in_whatever_width_it_has(width: int, score: str) -> None:
    text = io.StringIO()
    Console(file=text, width=width, color_system=None).print(Leaderboard(page_of()))
    section = text.getvalue().split("label efficiency: trec   accuracy\n")[1].split("\n\n")[0]
    assert score in section
    assert max(map(len, section.splitlines())) <= width
    assert "instead of about 100 (95%:" in " ".join(section.split())


def test_json_has_curves_and_savings_in_full_precision() -> None:
    (section,) = json.loads(FORMATS["json"].render(page_of()))["label_efficiency"]
    assert section["curves"][0]["points"][1] == pytest.approx(
        {"examples": 100, "value": 0.7, "low": 0.65, "high": 0.75}, rel=1e-9
    )
    first = section["saved"][0]
    assert first["reference"] == {"backbone": "", "strategy": "tfidf", "variant": ""}
    assert first["equal_scores"][0]["needed"]["examples"] == pytest.approx(100)
    assert [one["is_told_apart"] for one in first["equal_scores"]] == [True, True, True]


def test_the_drawing_has_a_curve_and_a_name_for_each_row() -> None:
    drawn = FORMATS["label-efficiency"].render(page_of())
    assert drawn.count("<circle ") == 9
    assert drawn.count("stroke-dasharray") == 2  # the reference's curve and the line beside its name
    for text in ("trec: accuracy", "full on b", "tfidf", "1,000", "training examples"):
        assert f">{text}</text>" in drawn
    # Equal distances of the logarithm are equal distances of the drawing.
    ticks = [float(part.split(" ")[0]) for part in drawn.split('<path d="M')[1:] if "v5" in part]
    assert ticks[1] - ticks[0] == pytest.approx(ticks[2] - ticks[1], abs=0.11)


def test_one_size_has_no_section() -> None:
    page = page_of(sizes=[0.1])
    assert page.label_efficiency == ()
    assert "abel efficiency" not in FORMATS["markdown"].render(page)
    assert "abel efficiency" not in FORMATS["terminal"].render(page)
    with pytest.raises(UsageError, match="no task has scores at two numbers of training examples"):
        FORMATS["label-efficiency"].render(page)


def test_few_seeds_have_scores_but_no_savings() -> None:
    (section,) = page_of(seeds=1).label_efficiency
    assert section.lines[0].values["10"].text == "60.0"
    (sentence,) = section.sentences
    assert "three seeds or more" in sentence


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_are_text(kind: str) -> None:
    media: dict[str, Medium] = {
        "terminal": "terminal", "markdown": "markdown", "json": "json", "label-efficiency": "html",
    }  # fmt: skip
    for format_, medium in media.items():
        written = FORMATS[format_].render(page_of(HOSTILE[kind]))
        assert not taken_for_commands(medium, written, FORMATS[format_].render(page_of())), format_
