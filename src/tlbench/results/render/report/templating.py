"""Renders the templates of the HTML report, with every text escaped, and gives its style sheet and script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tlbench.results.render.escaping import LIMIT, printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_ASSETS = ("report.css", "report.js")


def render(template: str, **values: Any) -> bytes:
    """Returns a page: a template of the folder `templates` with these values."""
    return _environment().get_template(template).render(**values).encode()


def assets() -> Iterator[tuple[str, bytes]]:
    """Yields the name and content of the style sheet and of the script."""
    for name in _ASSETS:
        yield name, (files(__package__) / "assets" / name).read_bytes()


def drawing(svg: str) -> Markup:
    """Returns an SVG of this package, whose texts are escaped, as text that templates insert as it is."""
    from markupsafe import Markup

    return Markup(svg)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__),
        # For every template, whatever its suffix.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Each text that a template inserts becomes one line of visible characters.
        finalize=_shown,
    )
    environment.globals["zip"] = zip
    environment.filters["inert"] = _inert
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment


def _inert(value: str) -> Markup:
    """Returns a text escaped so that neither a browser nor the formulas of notebooks (MathJax) read anything in it."""
    from markupsafe import Markup, escape

    text = str(escape(printable(value, 4 * LIMIT)))
    # MathJax finds no formula whose delimiter is in an element of its own.
    return Markup(text.translate({ord(sign): f"<span>{sign}</span>" for sign in "$\\"}))


def _shown(value: Any) -> Any:
    from markupsafe import Markup

    # Long sentences of a legend are cut by the page.
    return value if isinstance(value, Markup) or not isinstance(value, str) else printable(value, 4 * LIMIT)
