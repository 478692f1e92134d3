"""Builds the site with mkdocs and returns what is wrong with it."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("mkdocs.yml")
_LOADED = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*\bsrc=[\"']?(?:https?:)?//|<link\b[^>]*\bhref=[\"']?https?://"
)
"""A tag that makes a browser load something from another machine."""


class _Warnings(logging.Handler):
    """Collects the warnings of mkdocs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def build_site(folder: Path) -> list[str]:
    """Builds the site and returns a line for each problem, such as a dead link or a file loaded from elsewhere."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    sys.path.insert(0, str(CONFIG.parents[2]))  # the hooks import their neighbours
    log, warnings = logging.getLogger("mkdocs"), _Warnings()
    log.addHandler(warnings)
    try:
        # Not strict here: mkdocs would stop before it has written anything to look at.
        build(load_config(str(CONFIG), site_dir=str(folder), strict=False))
    except Abort as error:
        warnings.texts.append(str(error))
    finally:
        log.removeHandler(warnings)
        sys.path.remove(str(CONFIG.parents[2]))
    return [*warnings.texts, *loaded_from_elsewhere(folder)]


def loaded_from_elsewhere(folder: Path) -> list[str]:
    """Returns a line for each page that makes a browser load something from another machine."""
    pages = sorted(folder.rglob("*.html"))
    found = ((page, _LOADED.search(page.read_text(encoding="utf-8"))) for page in pages)
    return [f"{page.relative_to(folder)} loads from elsewhere: {match[0]}" for page, match in found if match]
