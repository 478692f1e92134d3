"""The HTML report keeps the contract of renderers of folders."""

from __future__ import annotations

import json

from markupsafe import escape

from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html
from tlbench.testing.conformance import FolderRendererConformance
from tlbench.testing.conformance.media import HOSTILE
from tlbench.testing.conformance.renderer import example_page


class TestHtml(FolderRendererConformance):
    renderer = Html()
    medium = "html"
    suffix = ".html"

    def shown(self, text):
        return str(escape(text))


def files_of(page):
    return dict(Html().files(page, page))


def test_no_page_asks_for_anything_but_its_own_files_or_has_a_style_or_script_inside():
    for name, content in files_of(example_page()).items():
        if name.endswith(".html"):
            text = content.decode()
            policy = text[text.index("Content-Security-Policy") :].partition(">")[0]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "<style" not in text
            assert " style=" not in text
            # One link leads elsewhere, and only when it is followed: the source of a published score.
            assert text.replace("https://example.org/scores", "").count("https://") == 0


def test_rows_beyond_the_first_are_in_the_data_file_and_have_the_common_page(monkeypatch):
    first = next(iter(example_page().sections)).lines[0].cell
    monkeypatch.setattr(Page, "first_cells", lambda self, limits: {first})
    page = example_page(HOSTILE["HTML"])
    files = files_of(page)
    content = files["data.js"].decode()
    tables = json.loads(content.removeprefix("window.tlbenchTables = ").removesuffix(";\n"))
    cells = {line.cell for section in page.sections for line in section.lines}
    addresses = [row[0] for _, text in tables for row in json.loads(text)["rows"]]
    assert sorted(addresses) == sorted(f"row.html#{cell}" for cell in cells)
    assert not [name for name in files if name.startswith("cells/")]
