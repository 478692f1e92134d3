"""A headless Chromium for the report's pages, and a folder with a report to open in it."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import msgspec
import pytest

from tests.results.ranked_table import ranked_table
from tests.untrusted.hostile_texts import ALL_HOSTILE
from tlbench.api.html_tables import board_html
from tlbench.cli.board.report_files import write_files
from tlbench.contracts.cell import Ref
from tlbench.contracts.record import Memory, Seconds
from tlbench.metrics import METRICS
from tlbench.results.leaderboard import frame
from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html
from tlbench.testing.conformance.renderer import ExamplePage, example_page

_NAMES = ("chromium", "chromium-browser", "google-chrome")


# Of a module, not of the session: other tests count the processes that are left.
@pytest.fixture(scope="module")
def browser():
    """A headless Chromium: that of the system, or playwright's own."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    system = next(filter(None, map(shutil.which, _NAMES)), None)
    with sync.sync_playwright() as playwright:
        if system is None and not os.path.exists(playwright.chromium.executable_path):
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        # Chromium has no sandbox for root, who runs the tests in containers.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=system, args=arguments)
        yield browser
        browser.close()


class Opened:
    """A page of the report, with whatever its browser complained of or asked for elsewhere."""

    def __init__(self, browser, folder, name, **context):
        self.complaints = []
        self.page = browser.new_context(**context).new_page()
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}") or dialog.dismiss())
        self.page.on("request", lambda request: self._asked(request.url, folder))
        self.page.goto((folder / name).as_uri() if "#" not in name else f"{folder.as_uri()}/{name}")

    def _asked(self, address, folder):
        if not address.startswith((folder.as_uri(), "data:")):
            self.complaints.append(f"request: {address}")

    def texts(self, selector):
        """Returns the texts of the elements that are visible."""
        return [one.inner_text() for one in self.page.locator(selector).all() if one.is_visible()]


@pytest.fixture
def opened(browser):
    """Opens a page of a folder: `opened(folder, name, **context)`."""
    contexts = []

    def open_page(folder, name="index.html", **context):
        one = Opened(browser, folder, name, **context)
        contexts.append(one.page.context)
        return one

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def board(made):
    """A leaderboard of two tasks with three strategies and a baseline, with records and ranks."""
    costly = SimpleNamespace(record=_costly(made))
    shares = {("good", "b"): 0.92, ("same", "b"): 0.915, ("poor", "b"): 0.7, ("majority", None): 0.5}
    cells = [
        (made.cell(task, name, backbone, seeds=(0, 1, 2)), made.answers(task, share, (0, 1, 2), draw=i))
        for task in ("one", "two")
        for i, ((name, backbone), share) in enumerate(shares.items())
    ]
    return ranked_table(costly, cells), {cell.id: (cell, answers) for cell, answers in cells}


def _costly(made):
    """Returns a function that makes records whose seconds and memory differ between strategies."""

    def record(cell, *arguments, **changes):
        size = sum(map(ord, cell.strategy.name))
        seconds, memory = Seconds(fit=size / 100, predict=size / 1000, total=size), Memory(host_own_bytes=size * 10**6)
        return made.record(cell, *arguments, seconds=seconds, memory=memory, **changes)

    return record


class Records:
    """The records of cells, and their predictions as Parquet files."""

    def __init__(self, made, cells, folder):
        self._made, self._cells, self._folder = made, cells, folder

    def record(self, cell_id):
        cell, answers = self._cells[cell_id]
        return self._made.record(cell, answers, trials=4, best_params={"lr": 0.1})

    def predictions(self, record):
        path = self._folder / f"{record.cell.id}.parquet"
        self._cells[record.cell.id][1].to_parquet(path)
        return path


@pytest.fixture(scope="module")
def report(made, board, tmp_path_factory):
    """A folder with the report of `board`, of which the first row of each task and the baseline have pages."""
    table, cells = board
    folder = tmp_path_factory.mktemp("report")
    (folder / "kept").mkdir()
    write_files(folder / "site", Html().files(Page(table, "two tasks"), Records(made, cells, folder / "kept")))
    return folder / "site"


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    """A folder with a report of a row and a page for each hostile text, which is in all of its names."""
    folder = tmp_path_factory.mktemp("hostile") / "site"
    records = []
    for text in ALL_HOSTILE.values():
        record = example_page(text).records[0]
        records.append(msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, task=Ref("tone"))))
    page = ExamplePage(frame(records, metrics=METRICS), " ".join(ALL_HOSTILE), "tlbench leaderboard")
    page.records = records
    write_files(folder, Html().files(page, page))
    return folder


@pytest.fixture
def hostile_notebook(tmp_path):
    """A folder with a page of the tables that a notebook shows of boards with hostile texts."""
    tables = [board_html(example_page(text)) for text in ALL_HOSTILE.values()]
    (tmp_path / "index.html").write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{''.join(tables)}")
    return tmp_path
