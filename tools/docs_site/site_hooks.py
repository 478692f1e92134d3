"""What mkdocs calls while it builds: adds pages from outside docs/, the navigation, and llms.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs_site.llms_index import decisions_list, llms_text
from tools.docs_site.outside_files import DOCS, folder_page, outside, relinked
from tools.docs_site.site_map import navigation, search_boost

_SOURCES: dict[str, Path] = {}
"""The file or folder of each page that comes from outside docs/, by the page's path in the site."""
_TEXTS: dict[str, str] = {}
"""The pages in Markdown, by path."""


_SEARCH = "search_from_disk.js"
_SEARCH_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
"""The script that the theme would load for the same purpose."""


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Adds what pages link to beyond docs/, and sets the navigation."""
    for name in ("site.css", _SEARCH):
        files.append(File.generated(config, name, abs_src_path=str(Path(__file__).with_name(name))))
    for path, file in outside().items():
        _SOURCES[path] = file
        if file.is_dir():
            files.append(File.generated(config, path, content=folder_page(file)))
        else:
            files.append(File.generated(config, path, abs_src_path=str(file)))
    config.nav = navigation(file.src_uri for file in files.documentation_pages())
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Makes links lead to where the files are in the site, and lists the decisions on their page."""
    path = page.file.src_uri
    page.meta["search"] = {"boost": search_boost(path)}
    if path == "decisions/README.md":
        markdown += decisions_list(DOCS / "decisions")
    source = _SOURCES.get(path, DOCS / path)
    _TEXTS[path] = markdown if source.is_dir() else relinked(markdown, source, path)
    return _TEXTS[path]


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Loads the script for searching from disk from the site itself."""
    return output.replace(_SEARCH_ELSEWHERE, f"{'../' * page.file.dest_uri.count('/')}{_SEARCH}")


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """Does the same on pages that come from templates alone, such as 404.html."""
    return output_content.replace(_SEARCH_ELSEWHERE, _SEARCH)


def on_post_build(config: MkDocsConfig, **_: Any) -> None:
    """Writes llms.txt, and each page that it names as Markdown."""
    folder, nav = Path(config.site_dir), config.nav or []
    (folder / "llms.txt").write_text(llms_text(config.site_name, config.site_description or "", nav, _TEXTS), "utf-8")
    for page in (page for section in nav for pages in section.values() for page in pages):
        (folder / page).write_text(_TEXTS[page], "utf-8")
