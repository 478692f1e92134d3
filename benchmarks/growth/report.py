"""Writes measured curves as Markdown tables and as one SVG, without a plotting library."""

from __future__ import annotations

import math
import statistics
from html import escape
from pathlib import Path
from typing import Any

Curve = dict[str, Any]

TARGETS = {"plan": (100_000, 3.0), "leaderboard, first": (100_000, 5.0), "leaderboard, again": (100_000, 5.0)}
_COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#7b4b94", "#b5838d", "#3d405b", "#e09f3e", "#2a9d8f")
_PANELS = {
    "cells in plan, records in leaderboard": ("plan", "leaderboard"),
    "trials": ("trials",),
    "training examples": ("training examples",),
}
_WIDTH, _HEIGHT, _GAP = 420, 300, 60


def write(folder: Path, curves: dict[str, Curve]) -> None:
    """Writes growth.md and growth.svg, the same bytes for the same curves."""
    (folder / "growth.md").write_text(_page(curves), encoding="utf-8")
    (folder / "growth.svg").write_text(_picture(curves), encoding="utf-8")


def _page(curves: dict[str, Curve]) -> str:
    parts = ["# How cost grows", "![the curves below](growth.svg)"]
    for name, curve in curves.items():
        made = curve["machine"]
        parts.append(f"## {name}")
        parts.append(
            f"{made['processor']}, {made['cores']} cores, Python {made['python']}, {made['date']}; "
            f"{curve['rounds']} rounds of whole processes."
        )
        if any(point.get("data") == "speed-generated" for point in curve["points"]):
            parts.append("SST-2 was not at hand: generated sentences.")
        parts.append(_table(name, curve["points"]))
    return "\n\n".join(parts) + "\n"


def _table(name: str, points: list[dict[str, Any]]) -> str:
    detailed = any("parts" in point for point in points)
    headings = ["", "seconds, median", "min", "max", "CPU seconds", "peak MB"]
    headings += ["encode", "search", "fit", "status"] if detailed else ["target"]
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1)]
    for point in points:
        seconds = point["seconds"]
        size = point["size"] if isinstance(point["size"], str) else f"{point['size']:,}"
        cells = [size, *(f"{of(seconds):.2f}" for of in (statistics.median, min, max))]
        cells += [f"{statistics.median(point['cpu_seconds']):.2f}", f"{point['peak_bytes'] / 1e6:.0f}"]
        if detailed:
            cells += [f"{point['parts'][part]:.2f}" for part in ("encode_paid", "search", "fit")] + [point["status"]]
        else:
            wanted, limit = TARGETS.get(name, (None, 0.0))
            kept = "met" if statistics.median(seconds) <= limit else "missed"
            cells.append(f"{limit:g} s: {kept}" if point["size"] == wanted else "")
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(curves: dict[str, Curve]) -> str:
    panels = []
    for title, prefixes in _PANELS.items():
        chosen = {
            name: [(p["size"], statistics.median(p["seconds"])) for p in curve["points"]]
            for name, curve in curves.items()
            if name.startswith(prefixes) and len(curve["points"]) > 1
        }
        if chosen:
            panels.append((title, chosen))
    height = len(panels) * (_HEIGHT + 2 * _GAP)
    drawn = [_panel(title, chosen, i * (_HEIGHT + 2 * _GAP) + _GAP) for i, (title, chosen) in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 400} {height}" font-family="sans-serif"'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([f'{head} font-size="13">', paper, *drawn, "</svg>", ""])


def _panel(title: str, curves: dict[str, list[tuple[float, float]]], top: float) -> str:
    """Returns one pair of axes, both logarithmic, with a line for each curve."""
    sizes = [size for points in curves.values() for size, _ in points]
    times = [seconds for points in curves.values() for _, seconds in points]
    left, right = math.log10(min(sizes)), math.log10(max(sizes))
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))

    def x(size: float) -> float:
        return _GAP + _WIDTH * (math.log10(size) - left) / ((right - left) or 1)

    def y(seconds: float) -> float:
        return top + _HEIGHT * (high - math.log10(seconds)) / ((high - low) or 1)

    parts = [f'<text x="{_GAP}" y="{top - 20}" font-weight="bold">seconds by {escape(title)}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<path d="M{_GAP} {at:.1f}h{_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{_GAP - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:g}</text>')
    for size in sorted(set(sizes)):
        parts.append(f'<text x="{x(size):.1f}" y="{top + _HEIGHT + 20}" text-anchor="middle">{size:,}</text>')
    for number, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        line = "L".join(f"{x(size):.1f} {y(seconds):.1f}" for size, seconds in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" fill="{colour}"/>' for a, b in points]
        beside = f'x="{_GAP + _WIDTH + 16}" y="{top + 16 + 20 * number}"'
        parts.append(f'<text {beside} fill="{colour}">{escape(name)}</text>')
    return "\n".join(parts)
