"""Scales, ticks and texts of charts in SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape

from tlbench.results.render.escaping import printable

# The colours of Okabe and Ito, which people with impaired colour vision tell apart, without yellow.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
NAME_LENGTH = 38
_TICKS, _FEW_POWERS = 5, 3
_ROUNDING = 1e-9


def round_ticks(values: Iterable[float]) -> list[float]:
    """Returns about five round values at equal distances that enclose all the values."""
    low, high = _ends(values)
    # The largest of 1, 2 and 5 times a power of ten with which there are enough ticks.
    rough = max(high - low, 1e-9) / (_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step + 1e-9), max(math.ceil(high / step - 1e-9), math.floor(low / step + 1e-9) + 1)
    return [number * step for number in range(first, last + 1)]


def log_ticks(values: Iterable[float]) -> list[float]:
    """Returns two or more powers of ten that enclose all the values, with 2 and 5 times them if there are few."""
    low, high = _ends(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if last - first < _FEW_POWERS else (1,)
    ticks = [factor * 10.0**power for power in range(first, last + 2) for factor in factors]
    start = max(i for i, tick in enumerate(ticks) if tick <= low * (1 + _ROUNDING))
    end = min(i for i, tick in enumerate(ticks) if tick >= high * (1 - _ROUNDING))
    return ticks[start : max(end, start + 1) + 1]


def scaled(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Returns the linear function that takes `low` to `start` and `high` to `end`; a single value is at `start`."""
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def svg_text(left: float, top: float, text: str, style: str = "", anchor: str = "") -> str:
    """Returns a text element; a text without a style is a name, which is cut at `NAME_LENGTH` characters."""
    attributes = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor else "")
    shown = printable(text, NAME_LENGTH if not style else 120)
    return f'<text x="{left:.1f}" y="{top:.1f}"{attributes}>{escape(shown, quote=False)}</text>'


def _ends(values: Iterable[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[0], ordered[-1]
