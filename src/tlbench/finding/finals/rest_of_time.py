"""Spends the time that the final fits leave on further seeds of the finalists and their rivals.

Nothing that the test split has shown by then changes what won: all settings were named before it was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from tlbench.finding.endings import CONDITION_MET, HAD_MORE
from tlbench.finding.finals.finalists import SEEDS, Finalist, Finals

MOST_SEEDS = 5
"""Number of seeds where a search that had more to try would otherwise use less of its budget than it should."""


def next_finalist(
    finals: Finals,
    done: Mapping[int, int],
    price: Callable[[Finalist, int], float],
    left: float,
    is_little_used: bool,
) -> Finalist | None:
    """Returns the next setting to fit at more seeds, with all its seeds, or None if the time holds none.

    Each setting is first scored once, then fitted at `SEEDS` seeds, the winner first.

    Args:
        finals: The finalists and their rivals.
        done: The number of seeds that are scored, by number of the fit; `MOST_SEEDS` for settings to leave alone.
        price: Returns the seconds that so many more seeds of a setting take.
        left: The seconds that are left.
        is_little_used: Whether less of the budget than `reserve.USED` is used by now.
    """
    if finals.ended_because == CONDITION_MET:
        return None
    ladder = [1, SEEDS]
    if is_little_used and finals.ended_because in HAD_MORE:
        ladder.append(MOST_SEEDS)
    for wanted in ladder:
        for one in (*finals.finalists, *finals.rivals):
            have = done.get(one.fit, 0)
            if one.part == "baseline" and have:
                continue  # its other seeds say little
            for seeds in range(wanted, have, -1):
                if price(one, seeds - have) <= left:
                    return msgspec.structs.replace(one, seeds=tuple(range(seeds)))
    return None
