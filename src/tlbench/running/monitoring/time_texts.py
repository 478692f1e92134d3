"""Durations, and the time that a run has left, as readable texts."""

from __future__ import annotations

from tlbench.running.monitoring.run_status import RunStatus


def left_text(status: RunStatus) -> str:
    """Returns the time left of a run as text; empty if it is unknown."""
    if status.seconds_left is None:
        return ""
    if status.seconds_left < 1:
        return "almost done"
    return f"{'about ' if status.is_rough else ''}{duration(status.seconds_left, is_rough=True)} left"


def duration(seconds: float, is_rough: bool = False) -> str:
    """Returns a duration in readable units: 3.2 s, 4 min 05 s, 2 h 07 min; a rough one has whole seconds."""
    if seconds < 10 and not is_rough:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
