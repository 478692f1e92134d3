"""What a renderer must keep, on pages of friendly and of hostile records."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from tlbench.contracts.renderer import Renderer
from tlbench.results.render.escaping import printable
from tlbench.testing.conformance.imports import check_light, check_name
from tlbench.testing.conformance.media import HOSTILE, Medium, taken_for_commands

if TYPE_CHECKING:
    from tlbench.contracts.metric import Metric
    from tlbench.results.render.page import Page


class RendererConformance:
    """Subclass it with `renderer` and `medium`; `shown` says how it writes a text, where it escapes some."""

    renderer: ClassVar[Renderer]
    medium: ClassVar[Medium]
    """What the text is read by: nothing in a name may be a command to that."""

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
        written = _written(self.renderer, page)
        assert page.sections
        for section in page.sections:
            assert self.shown(section.task) in written, f"the task {section.task} is missing"
            for line in section.lines:
                for name in ("strategy", "score"):
                    assert self.shown(line.values[name].text) in written, f"{line.values[name].text} is missing"

    def test_the_same_page_gives_the_same_text(self) -> None:
        """Two renderings of equal pages are equal to the byte."""
        assert _written(self.renderer, example_page()) == _written(self.renderer, example_page())

    def test_an_empty_page(self) -> None:
        """A page on which nothing is recorded yet is no error."""
        _written(self.renderer, example_page(empty=True))

    @pytest.mark.parametrize("kind", HOSTILE)
    def test_hostile_names(self, kind: str) -> None:
        """Names, labels, reasons and notes are text and nothing else: no tag, link, formula, escape or line break."""
        written = _written(self.renderer, example_page(HOSTILE[kind]))
        medium = getattr(self, "medium", None)
        found = taken_for_commands(medium, written, _written(self.renderer, example_page()))
        # On one line the same names are as long, so that they are laid out alike.
        on_one_line = _written(self.renderer, example_page(printable(HOSTILE[kind])))
        found += ["a line break of a name"] if written.count("\n") != on_one_line.count("\n") else []
        assert not found, f"names that hold {kind} are not escaped for {medium}: {'; '.join(found)}"


def _written(renderer: Renderer, page: Page) -> str:
    """Returns what the renderer writes, once it is known to be text that can be written."""
    written = renderer.render(page)
    assert isinstance(written, str), f"render returned {type(written).__name__} and not a str"
    lone = sorted({f"U+{ord(one):04X}" for one in written if "\ud800" <= one <= "\udfff"})
    assert not lone, f"it holds surrogates, which no encoding can write: {', '.join(lone)}"
    return written


def example_page(name: str = "", empty: bool = False) -> Page:
    """Returns a page of three tasks with three strategies each, one of which failed; or of nothing.

    Args:
        name: Stands at both ends of every name, label, reason and note.
        empty: Whether there are no records.
    """
    from tlbench.contracts.cell import Cell, Protocol, Ref
    from tlbench.contracts.record import Provenance, Record, TestScore
    from tlbench.metrics import METRICS
    from tlbench.results.leaderboard import frame
    from tlbench.results.render.page import Page

    def named(text: str) -> str:
        return f"{name} {text} {name}".strip(" ")

    # tlbench's own, a plugin's, and one of a plugin that is no longer installed.
    off = _metric("steps_off", named("steps off"))
    records = []
    for task, metric in (("tone", "accuracy"), ("topic", "steps_off"), ("turn", "turns")):
        for place, strategy in enumerate(("full-finetune", "linear-probe", "lora")):
            cell = Cell(Ref(named(task)), Ref(named(strategy)), Protocol(seeds=(0, 1)), Ref(named("tiny")))
            libraries = {"torch": "2.15.0", named("library"): named(f"1.{place}")}
            made = Provenance(distributions=libraries, device=named(f"cpu{place}"))
            if place == 2:
                reason = named("no room for it")
                records.append(Record(cell, "oom", reason=reason, metrics=(metric,), provenance=made))
                continue
            value, metrics = 0.9123 - place / 10, (metric, "f1")
            scores = [TestScore(m, seed, value, value - 0.02, value + 0.02, 400) for m in metrics for seed in (0, 1)]
            records.append(
                Record(
                    cell, "ok", metrics=metrics, scores=tuple(scores), provenance=made, parameters=1000,
                    trainable_parameters=1000, overlap={"train": 3},
                )
            )  # fmt: skip
    table = frame([] if empty else records, metrics={**METRICS, off.name: off})
    return Page(table, named("example"), f"tlbench leaderboard --suite {named('example')}")


def _metric(name: str, label: str) -> Metric:
    from tlbench.contracts.metric import Metric
    from tlbench.contracts.outputs import Scalar

    metric = Metric()
    metric.name, metric.label, metric.outputs = name, label, (Scalar,)
    metric.greater_is_better, metric.highest, metric.worst, metric.in_points = False, None, None, False
    return metric
