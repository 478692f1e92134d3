"""Draws the trials of a search as parallel coordinates in SVG: a line for each trial through its hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from tlbench.contracts.record import FitResult, Record
from tlbench.results.render.charts.chart_axes import svg_text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 280, 60, 60, 40, 24
_FEWEST_TRIALS, _FEWEST_PARAMS, _MOST_PARAMS = 3, 2, 7
_WIDE = 20
"""Ratio of the largest to the smallest value from which on a scale is logarithmic."""


def parallel_chart(record: Record, text: Callable[[float], str], greater_is_better: bool) -> str:
    """Returns the chart; empty with fewer than three scored trials or two hyperparameters that vary.

    Lines of trials with better validation scores are darker, and that of the winner is drawn last.
    """
    trials = [trial for trial in record.longest_trials if trial.validation is not None]
    names = [name for name in dict.fromkeys(n for t in trials for n in t.params) if len(_values(trials, name)) > 1]
    if len(trials) < _FEWEST_TRIALS or len(names) < _FEWEST_PARAMS:
        return ""
    names = names[:_MOST_PARAMS]
    axes = [*(_places([trial.params.get(name) for trial in trials]) for name in names)]
    scores = [float(trial.validation or 0) for trial in trials]
    axes.append(_places(scores))
    at = [_LEFT + (_WIDTH - _LEFT - _RIGHT) * i / (len(axes) - 1) for i in range(len(axes))]
    bottom = _HEIGHT - _BOTTOM
    label = "Validation score of trials by hyperparameters"
    parts = [f'<svg class="chart parallel" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">']
    order = sorted(range(len(trials)), key=lambda i: (scores[i] if greater_is_better else -scores[i], -i))
    for place, i in enumerate(order):
        points = [(left, bottom - (bottom - _TOP) * axis[0][i]) for left, axis in zip(at, axes, strict=True)]
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top in points)
        shade = "winner" if place + 1 == len(order) else f"t{3 * place // len(order)}"
        parts.append(f'<path class="trial {shade}" d="M{path}"/>')
    for left, (_, low, high), name in zip(at, axes, [*names, "validation"], strict=True):
        ends = [text(float(end)) if name == "validation" else _shown(end) for end in (low, high)]
        parts.append(f'<path d="M{left:.1f} {_TOP}V{bottom}" stroke="#666"/>')
        parts.append(svg_text(left, 14, name, "scale", "middle"))
        parts.append(svg_text(left, 30, ends[1], "scale", "middle"))
        parts.append(svg_text(left, bottom + 16, ends[0], "scale", "middle"))
    return "\n".join([*parts, "</svg>"])


def _values(trials: Sequence[FitResult], name: str) -> set[str]:
    return {str(trial.params.get(name)) for trial in trials}


def _places(values: Sequence[Any]) -> tuple[list[float], Any, Any]:
    """Returns each value's place from 0 to 1, and the values at both ends."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        # Choices, and hyperparameters that only some trials have, stand at equal distances.
        texts = sorted({str(value) for value in values})
        return [texts.index(str(value)) / max(1, len(texts) - 1) for value in values], texts[0], texts[-1]
    low, high = min(values), max(values)
    scale: Callable[[float], float] = math.log if low > 0 and high / low > _WIDE else float
    width = scale(high) - scale(low)
    return [(scale(value) - scale(low)) / width if width else 0.5 for value in values], low, high


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
