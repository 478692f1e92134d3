"""The renderer contract: a renderer writes a leaderboard in one format, as one text or as a folder of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from tlbench.contracts.errors import UsageError

# For the type checker alone: contracts are the lowest layer and import no results.
if TYPE_CHECKING:
    from tlbench.contracts.record import Record
    from tlbench.results.render.page import Page


class Renderer:
    r"""A format of the leaderboard, such as HTML or LaTeX: subclass it and return it from `tlbench_renderers`.

    A `Page` has every number both as a value and as a short text, so a renderer computes nothing. Every text of a page
    is guaranteed to be one line of printable characters. The renderer must escape all text that its format would treat
    as markup or as a command, such as a formula of a spreadsheet; `tlbench.testing.conformance.RendererConformance`
    checks this. The values of a page and the table from `frame()` are as recorded, and may contain any characters.

        from tlbench.results.render.escaping import spreadsheet

        class Tsv(Renderer):
            name = "tsv"

            def render(self, page):
                lines = ["\t".join(["task", *(column.name for column in page.columns)])]
                for section in page.sections:
                    for line in section.lines:
                        texts = [spreadsheet(line.values[column.name].text) for column in page.columns]
                        lines.append("\t".join([spreadsheet(section.task), *texts]))
                return "\n".join(lines) + "\n"
    """

    name: ClassVar[str]
    """The name for `tlbench leaderboard --format`, in kebab-case."""
    description: ClassVar[str] = ""
    """One line for `tlbench list renderers`."""
    is_short: ClassVar[bool] = False
    """Whether the format shows a short leaderboard: its page then has only the best rows of a long ranking."""

    def render(self, page: Page) -> str:
        """Returns the page as text; equal pages must give equal text, so that a committed table does not change."""
        raise NotImplementedError


class RecordReader(Protocol):
    """Gives a renderer the records behind the rows of a page."""

    def record(self, cell_id: str) -> Record | None:
        """Returns the newest readable record of a cell, or None if there is none."""

    def predictions(self, record: Record) -> Path | None:
        """Returns the file of a record's test predictions, which `read_predictions` reads, or None if there is none."""


class FolderRenderer(Renderer):
    r"""A format of several files, such as a site with a page for each cell; `--to FOLDER` says where they go.

    Subclass it and override `files` in place of `render`. What holds for texts of a page holds here too; texts of
    records are as recorded, and need `printable` and the format's own escaping.

        class Pages(FolderRenderer):
            name = "pages"

            def files(self, page, records):
                for section in page.sections:
                    for row in section.lines:
                        record = records.record(row.cell)
                        yield f"{row.cell}.txt", f"{printable(record.cell.title)}\n".encode()
    """

    def render(self, page: Page) -> str:
        """Raises a `UsageError`, since a folder of files is not one text."""
        raise UsageError(f"--format {self.name} makes a folder of files: add --to FOLDER")

    def files(self, page: Page, records: RecordReader) -> Iterator[tuple[str, bytes]]:
        """Yields each file as its path in the folder, with "/" between its parts, and its content.

        Equal pages and records must give equal files in equal order.
        """
        raise NotImplementedError
