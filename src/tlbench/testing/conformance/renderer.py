"""What a renderer must keep, on pages of friendly and of hostile records."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import pytest

from tlbench.contracts.renderer import Renderer
from tlbench.testing.conformance.imports import check_light, check_name

if TYPE_CHECKING:
    from tlbench.results.render.page import Page

HOSTILE = ("bert[/foo]", "[red]x", "\x1b[31mansi", "=HYPERLINK(1)", "<script>alert(1)</script>", "a|b`c", 'x"y\nnext')
"""Names that some format takes for a command."""
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class RendererConformance:
    """Subclass it with `renderer`; `shown` says how it writes a text, where it escapes some."""

    renderer: ClassVar[Renderer]

    def shown(self, text: str) -> str:
        """Returns how the renderer writes a text."""
        return text

    def test_import_is_light(self) -> None:
        """The module that defines the renderer loads no heavy library."""
        check_light(self.renderer)

    def test_name(self) -> None:
        """Its name can stand on the command line."""
        check_name(self.renderer.name)

    def test_shows_every_score_and_name(self) -> None:
        """Every line's strategy and score, every failure and every task stand in what it writes."""
        page = example_page()
        written = self.renderer.render(page)
        assert page.sections
        for section in page.sections:
            assert self.shown(section.task) in written, f"the task {section.task} is missing"
            for line in section.lines:
                for name in ("strategy", "score"):
                    assert self.shown(line.values[name].text) in written, f"{line.values[name].text} is missing"

    def test_the_same_page_gives_the_same_text(self) -> None:
        """Two renderings of equal pages are equal to the byte."""
        assert self.renderer.render(example_page()) == self.renderer.render(example_page())

    def test_an_empty_page(self) -> None:
        """A page on which nothing is recorded yet is no error."""
        assert isinstance(self.renderer.render(example_page(empty=True)), str)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names(self, name: str) -> None:
        """Names from elsewhere are text and nothing else: no escape sequence, no script, no invisible character."""
        written = self.renderer.render(example_page(name))
        assert not _INVISIBLE.search(written), "it holds characters that nobody sees"
        assert "<script>alert" not in written or self.shown("<script>") == "<script>", "a script stands there unescaped"


def example_page(name: str = "", empty: bool = False) -> Page:
    """Returns a page of two tasks with three strategies each, one of which failed; or of nothing.

    Args:
        name: Stands in the names of tasks, backbones, strategies and reasons.
        empty: Whether there are no records.
    """
    from tlbench.contracts.cell import Cell, Protocol, Ref
    from tlbench.contracts.record import Provenance, Record, TestScore
    from tlbench.results.leaderboard import frame
    from tlbench.results.render.page import Page

    records = []
    for task in ("tone", "topic"):
        for place, strategy in enumerate(("full-finetune", "linear-probe", "lora")):
            cell = Cell(Ref(f"{task}{name}"), Ref(f"{strategy}{name}"), Protocol(seeds=(0, 1)), Ref(f"tiny{name}"))
            made = Provenance(distributions={"torch": "2.15.0"}, device=f"cpu{name if place else ''}")
            if place == 2:
                reason = f"no room for it {name}"
                records.append(Record(cell, "oom", reason=reason, metrics=("accuracy",), provenance=made))
                continue
            value = 0.9123 - place / 10
            scores = [TestScore("accuracy", seed, value, value - 0.02, value + 0.02, 400) for seed in (0, 1)]
            records.append(
                Record(
                    cell, "ok", metrics=("accuracy",), scores=tuple(scores), provenance=made, parameters=1000,
                    trainable_parameters=1000,
                )
            )  # fmt: skip
    return Page(frame([] if empty else records), f"example {name}".strip(), "tlbench leaderboard")
