"""The format `html`: a folder with a page for a leaderboard and one for each of its first cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench.contracts.renderer import FolderRenderer, RecordReader
from tlbench.results.render import value_texts as cells
from tlbench.results.render.value_texts import note_head

if TYPE_CHECKING:
    from tlbench.results.render.page import Page
    from tlbench.results.render.report.board_page import BoardPage
    from tlbench.results.render.report.cell.shown_pictures import ShownPicture

_TILES = {"rank", "score", "interval", "equal", "spread", "gain", "gain_interval", "seeds", "fit", "memory", "trained"}
"""Columns that head the page of a cell; the others are in its tables."""


@dataclass(frozen=True)
class Html(FolderRenderer):
    """A site that opens from disk: sortable tables, charts and a page for each cell.

    `index.html` has the leaderboard, `cells/` a page for each of the first cells, and `row.html` shows any other row
    from `data.js`.
    """

    name: ClassVar[str] = "html"
    description: ClassVar[str] = "A folder of pages with sortable tables and charts; --to says where."
    home: str = ""
    """Address of an index of several leaderboards, from the folder of this one; empty if there is none."""

    def files(self, page: Page, records: RecordReader) -> Iterator[tuple[str, bytes]]:
        """Yields the pages, the data file, the style sheet and the script."""
        from tlbench.results.render.published import PUBLISHED
        from tlbench.results.render.report.board_page import BoardPage
        from tlbench.results.render.report.cell.cell_page import CellPage
        from tlbench.results.render.report.templating import assets, render
        from tlbench.results.submissions.tiers import TIERS

        board = BoardPage(page)
        yield from assets()
        yield "data.js", board.data()
        notes = [(mark, note, note_head(note)) for mark, note in page.notes]
        yield (
            "index.html",
            render(
                "board.html",
                board=board,
                page=page,
                notes=notes,
                published_columns=PUBLISHED,
                tier_meanings=TIERS,
                home=self.home,
                root="",
                pictures=_pictures_of_best(board, records),
            ),
        )
        yield "row.html", render("row.html", page=page, home=self.home, root="")
        tiles = [column for column in page.columns if column.name in page.filled & _TILES]
        for part, line in board.with_page():
            record, row = records.record(line.cell), board.rows[line.cell]
            # An ensemble of cells has no record.
            cell = None if record is None else CellPage(record, row, records.predictions(record))
            yield (
                f"cells/{line.cell}.html",
                render(
                    "cell.html",
                    cell=cell,
                    part=part,
                    line=line,
                    title=cells.title(row),
                    tiles=tiles,
                    notes=[(note, note_head(note)) for note in (row["notes"] or "").split("; ") if note],
                    page=page,
                    tier_meanings=TIERS,
                    home=self.home and f"../{self.home}",
                    root="../",
                ),
            )


def _pictures_of_best(board: BoardPage, records: RecordReader) -> dict[str, tuple[str, list[ShownPicture]]]:
    """Returns, by the id of a task's part, the title of its first row that has pictures, and these."""
    from tlbench.results.render.report.cell.shown_pictures import shown_pictures

    found: dict[str, tuple[str, list[ShownPicture]]] = {}
    for part, line in board.with_page():
        if part.id in found or (record := records.record(line.cell)) is None:
            continue
        if pictures := shown_pictures(records.predictions(record)):
            found[part.id] = cells.title(board.rows[line.cell]), pictures
    return found
