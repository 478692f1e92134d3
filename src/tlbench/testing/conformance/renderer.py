"""Conformance checks for renderers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Record
from tlbench.contracts.renderer import FolderRenderer, Renderer
from tlbench.results.render.escaping import printable
from tlbench.results.render.page import Page
from tlbench.testing.conformance.every_plugin import check_light, check_name
from tlbench.testing.conformance.media import HOSTILE, Medium, taken_for_commands

if TYPE_CHECKING:
    from tlbench.contracts.metric import Metric


class RendererConformance:
    """Checks that a renderer shows everything that a leaderboard must show, and that names cannot inject anything.

    Guarantees: every task, strategy and score is shown; rendering is deterministic; an empty page is rendered; no name
    of a plugin or record becomes markup, a link, a formula, an escape sequence or a line break.

        class TestMyRenderer(RendererConformance):
            renderer = MyRenderer()
            medium = "html"

    Override `shown` if the renderer escapes characters of ordinary names.
    """

    renderer: ClassVar[Renderer]
    medium: ClassVar[Medium]
    """Format of the rendered text, which decides what a name must not inject; it must be set to one of "text",
    "terminal", "html", "markdown", "csv", "tsv", "json" and "latex"."""

    def shown(self, text: str) -> str:
        """Returns the form in which a name or score occurs in the rendered text, escaped as the renderer does."""
        return text

    def test_import_is_light(self) -> None:
        """Importing the renderer's module does not import heavy libraries such as torch."""
        check_light(self.renderer)

    def test_name(self) -> None:
        """The name is valid on the command line."""
        check_name(self.renderer.name)

    def test_shows_every_score_and_name(self) -> None:
        """The rendered text contains every task, and the strategy and score (or status) of every row."""
        page = example_page()
        rendered = self.rendered(page)
        assert page.sections
        for section in page.sections:
            assert self.shown(section.task) in rendered, f"the task {section.task} is missing"
            for line in section.lines:
                for name in ("strategy", "score"):
                    text = line.values[name].text
                    assert self.shown(text) in rendered, f"the {name} {text} is missing"

    def test_the_same_page_gives_the_same_text(self) -> None:
        """Rendering equal pages gives equal text."""
        assert self.rendered(example_page()) == self.rendered(example_page())

    def test_an_empty_page(self) -> None:
        """A page without records is rendered without an error."""
        self.rendered(example_page(empty=True))

    def test_chosen_columns(self) -> None:
        """A page whose reader chose other columns (`--columns strategy`) is rendered: its rows have no others."""
        self.rendered(example_page(columns=("strategy",)))

    @pytest.mark.parametrize("kind", HOSTILE)
    def test_hostile_names(self, kind: str) -> None:
        """Names, labels, reasons and notes are shown as text: they add no tag, link, formula, escape or line break."""
        rendered = self.rendered(example_page(HOSTILE[kind]))
        medium = getattr(self, "medium", None)
        injected = taken_for_commands(medium, rendered, self.rendered(example_page()))
        # Long names may wrap onto several lines: compare with names of the same length that hold no line break.
        on_one_line = self.rendered(example_page(printable(HOSTILE[kind])))
        injected += ["a line break of a name"] if rendered.count("\n") != on_one_line.count("\n") else []
        assert not injected, f"names that hold {kind} are not escaped for {medium}: {'; '.join(injected)}"

    def rendered(self, page: ExamplePage) -> str:
        """Returns the rendered page as text."""
        return _checked(self.renderer.render(page))


class FolderRendererConformance(RendererConformance):
    """Checks the same of a renderer that makes a folder of files, taken together."""

    renderer: ClassVar[Renderer]
    suffix: ClassVar[str] = ".html"
    """Suffix of the files that show names and scores; the others are not checked."""

    def rendered(self, page: ExamplePage) -> str:
        """Returns the contents of the files, one after another."""
        assert isinstance(self.renderer, FolderRenderer), f"{self.renderer} is no FolderRenderer"
        files = dict(self.renderer.files(page, page))
        return "".join(_checked(files[name].decode()) for name in sorted(files) if name.endswith(self.suffix))

    def test_it_is_no_single_text(self) -> None:
        """`render` refuses the page in one line that names `--to`."""
        with pytest.raises(UsageError, match="--to"):
            self.renderer.render(example_page())


def _checked(rendered: str) -> str:
    """Returns the rendered text; asserts that it is a str without surrogates."""
    assert isinstance(rendered, str), f"render returned {type(rendered).__name__} and not a str"
    # Python strings hold code points, never surrogate pairs, so any surrogate would fail when the text is written.
    surrogates = sorted({f"U+{ord(one):04X}" for one in rendered if "\ud800" <= one <= "\udfff"})
    assert not surrogates, f"the text has surrogates, which no encoding can write: {', '.join(surrogates)}"
    return rendered


class ExamplePage(Page):
    """A page with the records of its rows."""

    records: Sequence[Record] = ()

    def record(self, cell_id: str) -> Record | None:
        """Returns the record of a cell."""
        return next((record for record in self.records if record.cell.id == cell_id), None)

    def predictions(self, record: Record) -> Path | None:
        """Returns None: there are no files of predictions."""
        return None


def example_page(name: str = "", empty: bool = False, columns: Sequence[str] = ()) -> ExamplePage:
    """Returns a page of three tasks with three strategies each, of which one failed, and of one published score.

    Args:
        name: A hostile text to put at both ends of every name, label, reason and note.
        empty: Whether to leave out all records.
        columns: Names of the only columns of the rankings; none for the usual ones.
    """
    from tlbench.contracts.cell import Cell, Protocol, Ref
    from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
    from tlbench.contracts.published.reference import PublishedScore, Reference
    from tlbench.contracts.record import FitResult, Provenance, TestScore
    from tlbench.metrics import METRICS
    from tlbench.results.leaderboard import frame
    from tlbench.results.render.page_columns import RANKING
    from tlbench.results.render.view import View

    def named(text: str) -> str:
        return f"{name} {text} {name}".strip(" ")

    # One of tlbench's metrics, a plugin's, and "turns", whose plugin is no longer installed.
    steps_off = _metric("steps_off", named("steps off"))
    records = []
    trials = tuple(
        FitResult({named("rate"): n / 10, named("kind"): named(f"k{n}")}, 0, "search", n, "ok", validation=n / 10)
        for n in range(3)
    )
    classes = tuple(ClassScore(named(one), 0.5, 0.5, 0.5, 200) for one in ("no", "yes"))
    report = ClassReport(classes, tuple(one.name for one in classes), ((0, 0, 100), (0, 1, 100), (1, 1, 200)))
    for task, metric in (("tone", "accuracy"), ("topic", "steps_off"), ("turn", "turns")):
        for place, strategy in enumerate(("full-finetune", "linear-probe", "lora")):
            cell = Cell(Ref(named(task)), Ref(named(strategy)), Protocol(seeds=(0, 1)), Ref(named("tiny")))
            libraries = {"torch": "2.15.0", named("library"): named(f"1.{place}")}
            provenance = Provenance(distributions=libraries, device=named(f"cpu{place}"))
            if place == 2:
                # Failures have a section of their own, in which reasons are shown.
                reason = named("no room for it")
                records.append(Record(cell, "oom", reason=reason, metrics=(metric,), provenance=provenance))
                continue
            value, metrics = 0.9123 - place / 10, (metric, "f1")
            scores = [TestScore(m, seed, value, value - 0.02, value + 0.02, 400) for m in metrics for seed in (0, 1)]
            records.append(
                Record(
                    cell, "ok", metrics=metrics, scores=tuple(scores), provenance=provenance,
                    parameters=1000, trainable_parameters=1000, overlap={"train": 3}, trials=trials,
                    report=report, best_params=trials[1].params,
                )
            )  # fmt: skip
    table = frame([] if empty else records, metrics={**METRICS, steps_off.name: steps_off})
    score = PublishedScore(
        metric="accuracy", value=0.9, std=0.01, setting=named("10 draws"), source=named("Somebody 2020"),
        url="https://example.org/scores",
    )  # fmt: skip
    chosen = tuple(one for one in RANKING if one.name in columns) if columns else RANKING
    view = View(chosen, references=tuple(Reference(record.cell.id, score) for record in records[:1]))
    page = ExamplePage(table, named("example"), f"tlbench leaderboard --suite {named('example')}", view=view)
    page.records = records
    return page


def _metric(name: str, label: str) -> Metric:
    from tlbench.contracts.metric import Metric
    from tlbench.contracts.outputs import Scalar

    metric = Metric()
    metric.name, metric.label, metric.outputs = name, label, (Scalar,)
    metric.greater_is_better, metric.highest, metric.worst, metric.in_points = False, None, None, False
    return metric
