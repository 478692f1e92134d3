"""The site is built without a warning, holds together and loads nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tools.docs_site.building import build_site, loaded_from_elsewhere
from tools.docs_site.llms_index import description_of, title_of
from tools.docs_site.outside_files import links, relinked, resolved
from tools.docs_site.site_map import navigation

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A built site, and what was wrong."""
    folder = tmp_path_factory.mktemp("docs")
    return folder, build_site(folder)


class Links(HTMLParser):
    """Collects the targets of a page's links and the names of its anchors."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found.get("id"), found.get("name")}
        self.targets += [target for name in ("href", "src") if (target := found.get(name))]


def test_no_warning_and_nothing_from_elsewhere(site):
    assert site[1] == []


def test_no_link_is_dead(site):
    folder, _ = site
    pages = {page: Links(page.read_text(encoding="utf-8")) for page in folder.rglob("*.html")}
    dead = []
    for page, found in pages.items():
        for target in found.targets:
            parts = urlsplit(target)
            if parts.scheme or target.startswith(("//", "/", "data:")) or page.name == "404.html":
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (parts.fragment and file in pages and parts.fragment not in pages[file].anchors):
                dead.append(f"{page.relative_to(folder)}: {target}")
    assert dead == []


def test_llms_txt_names_the_pages_with_their_markdown(site):
    folder, _ = site
    text = (folder / "llms.txt").read_text(encoding="utf-8")
    named = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", text, re.MULTILINE)
    assert text.startswith("# tlbench\n\n> ")
    assert {"start.md", "howto/own-data.md", "reference/commands.md"} <= {*named}
    assert [name for name in named if not (folder / name).is_file()] == []
    assert "# Quick start" in (folder / "start.md").read_text(encoding="utf-8")


def test_every_page_of_the_docs_is_in_the_navigation(site):
    folder, _ = site
    home = Links((folder / "index.html").read_text(encoding="utf-8"))
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts]
    named = {str(page.with_suffix(".html")).replace("README.html", "index.html") for page in pages}
    assert named <= {*home.targets}


def test_a_page_that_no_section_knows_is_in_the_last_one():
    sections = navigation(["index.md", "clusters-ray.md", "something-new.md", "tour.md", "decisions/2026-01-01-x.md"])
    assert sections == [
        {"Start": ["index.md"]},
        {"How to": ["clusters-ray.md"]},
        {"Project": ["tour.md", "something-new.md"]},
    ]


def test_links_to_files_of_the_repository_lead_into_the_site():
    page = ROOT / "docs" / "howto" / "x.md"
    there = "[a](../../plugins/tlbench-hf/README.md#b) [c](../../src/tlbench/__init__.py)"
    text = f"{there} [d](https://e.org) [f](own-data.md)"
    assert relinked(text, page, "howto/x.md") == (
        "[a](../plugins/tlbench-hf.md#b) [c](../files/src/tlbench/__init__.py.txt) [d](https://e.org) [f](own-data.md)"
    )
    assert relinked("```\n[a](../strategies.md)\n```", page, "elsewhere.md") == "```\n[a](../strategies.md)\n```"


@pytest.mark.parametrize("name", ["README.md", "docs/index.md", "docs/start.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere_without_the_site_too(name):
    page = ROOT / name
    assert [link for link in links(page.read_text(encoding="utf-8")) if resolved(page, link) is None] == []


def test_a_script_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<script src="https://cdn.example/x.js"></script>')
    (tmp_path / "b.html").write_text('<a href="https://example.org">a link is none</a>')
    (tmp_path / "c.html").write_text('<link rel="stylesheet" href="https://fonts.example/x.css">')
    assert [line.split()[0] for line in loaded_from_elsewhere(tmp_path)] == ["a.html", "c.html"]


def test_titles_and_descriptions():
    text = "<!-- x -->\n\n# The `thing`\n\n| a |\n| - |\n\nIt does [this](x.md) and that. And more.\n"
    assert title_of(text) == "The thing"
    assert description_of(text) == "It does this and that."
    assert description_of("# A\n\n```sh\nx\n```\n\n1. One\n\n`y` is: so. More") == "`y` is: so."
