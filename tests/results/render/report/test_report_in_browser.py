"""The report in a headless Chromium: sorting, filtering, charts, accessibility, and names that are attacks."""

from __future__ import annotations

import pytest

from tests.untrusted.hostile_texts import ALL_HOSTILE
from tlbench.cli.board.report_files import write_files
from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True}
SHOWN_ROWS = "#ranking-0 tbody tr th"


def test_a_heading_sorts_by_keyboard_and_says_so(opened, report):
    one = opened(report)
    head = one.page.locator("#ranking-0 thead th", has_text="strategy")
    head.locator("button").focus()
    one.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert one.texts(SHOWN_ROWS) == ["good", "majority", "poor", "same"]
    one.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert one.texts(SHOWN_ROWS) == ["same", "poor", "majority", "good"]
    # Numbers are sorted as numbers, the best first, and the other heading says nothing any more.
    one.page.locator("#ranking-0 thead th", has_text="score").locator("button").click()
    scores = [float(text) for text in one.texts("#ranking-0 tbody td.score")]
    assert scores == sorted(scores, reverse=True)
    assert head.get_attribute("aria-sort") is None
    assert not one.complaints


def test_rows_are_filtered_in_all_tables_and_counted(opened, report):
    one = opened(report)
    one.page.get_by_label("Filter").fill("b poor")
    assert one.texts(SHOWN_ROWS) == one.texts("#ranking-1 tbody tr th") == ["poor"]
    assert one.texts(".count") == ["3 of 12 rows"]
    one.page.get_by_label("Filter").fill("")
    assert len(one.texts(SHOWN_ROWS)) == 4
    one.page.get_by_label("rank 1 only").check()
    assert set(one.texts(SHOWN_ROWS)) == {"good", "same"}
    assert not one.complaints


def test_columns_and_costs_can_be_chosen(opened, report):
    one = opened(report)
    assert "search" not in " ".join(one.texts("#ranking-0 thead th"))
    one.page.get_by_label("all columns").check()
    assert "search" in " ".join(one.texts("#ranking-0 thead th"))
    figure = one.page.locator(".plots").first
    labels = [figure.locator(".plot:not([hidden]) svg").get_attribute("aria-label")]
    figure.get_by_label("Cost").select_option("memory")
    labels.append(figure.locator(".plot:not([hidden]) svg").get_attribute("aria-label"))
    assert labels[1] == "accuracy against peak memory" != labels[0]
    assert one.page.locator("svg.differences circle.mean").count() == 4
    assert not one.complaints


def test_further_rows_are_shown_on_request_and_have_the_common_page(opened, board, made, tmp_path, monkeypatch):
    table, _ = board
    monkeypatch.setattr(Page, "first_cells", lambda self, limits: set())
    write_files(tmp_path / "site", Html().files(Page(table, "two tasks"), None))
    one = opened(tmp_path / "site")
    # No row is in the HTML: they come from the data file, which is read when a row is needed.
    one.page.get_by_label("Filter").fill("poor")
    one.page.locator(".count", has_text="3 of 12 rows").wait_for()
    assert one.texts(SHOWN_ROWS) == ["poor"]
    score = one.texts("#ranking-0 tbody td.score")
    one.page.locator("#ranking-0 tbody a").click()
    assert one.texts("h1") == ["b poor"]
    assert score[0] in one.texts("#row-facts dd")
    assert not one.complaints


def test_a_cell_page_has_its_parts_and_leads_back(opened, report):
    one = opened(report)
    one.page.locator("#ranking-0 tbody a", has_text="poor").click()
    assert one.texts("h1") == ["poor on b"]
    assert {"Run it again", "Trials", "Test scores", "Examples", "Environment"} <= set(one.texts("h2"))
    assert "tlbench run -t one -b b -S poor" in one.texts("pre")[0]
    one.page.get_by_role("link", name="two tasks").click()
    assert one.texts("h1") == ["two tasks"]
    assert not one.complaints


@pytest.mark.parametrize("context", [{}, {"color_scheme": "dark", **PHONE}], ids=["light", "dark phone"])
def test_axe_finds_nothing_serious(opened, report, context):
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")
    script = axe.AXE_FILE_PATH.read_text()
    cell = next((report / "cells").iterdir()).name
    for name in ("index.html", f"cells/{cell}", "row.html"):
        page = opened(report, name, **context).page
        page.evaluate(script)
        found = page.evaluate("axe.run(document, {preload: false})")["violations"]
        assert not [one["id"] for one in found if one["impact"] in {"serious", "critical"}], name


BROUGHT = (
    "img, iframe, object, body style, body script, body svg[onload], body math, [onclick], [onmouseover], [onfocus]"
)
"""Elements and attributes that hostile texts would bring, and that no page has."""


def test_hostile_names_neither_run_nor_break_the_layout(opened, hostile_report):
    cells = sorted(f"cells/{path.name}" for path in (hostile_report / "cells").iterdir())
    assert len(cells) == len(ALL_HOSTILE) == 41
    one = opened(hostile_report, "index.html", **PHONE)
    body = one.page.inner_text("body")
    assert "<script>alert(1)</script>" in body
    assert "{{7*7}}" in body
    for name in ("index.html", *cells):
        one.page.goto((hostile_report / name).as_uri())
        assert one.page.locator(BROUGHT).count() == 0, name
        assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    one.page.goto((hostile_report / cells[0]).as_uri())
    one.page.mouse.move(100, 300)
    one.page.locator("body").press("Tab")
    assert not one.complaints


def test_hostile_names_do_not_run_in_a_notebook(opened, hostile_notebook):
    one = opened(hostile_notebook, **PHONE)
    assert one.page.locator(BROUGHT).count() == 0
    assert "<script>alert(1)</script>" in one.page.inner_text("body")
    assert not one.complaints
