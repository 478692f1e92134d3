"""Search budgets: how many trials a cell was allowed, and notes on rows whose budget differs from the usual one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from tlbench.contracts.record import Record

# Keys are sorted, so that equal params are encoded alike whatever the order in which they were chosen.
_encoded = msgspec.json.Encoder(order="deterministic").encode


def tried_several(record: Record) -> bool:
    """Returns whether the trials of a cell had different settings."""
    if len(record.trials) < 2:
        return False
    first = _encoded(record.trials[0].params)
    return any(_encoded(trial.params) != first for trial in record.trials)


def search_budget(record: Record) -> int | None:
    """Returns how many trials the search was allowed; None without hyperparameters or a score.

    This is the number in the protocol, even if the search ended earlier because all settings had been tried or because
    of a time limit. It is 1 if there was no search.
    """
    if record.status != "ok" or not record.best_params:
        return None
    return record.cell.protocol.trials if tried_several(record) or record.trials_planned is not None else 1


def budget_notes(tasks: Sequence[str], budgets: Sequence[int | None]) -> list[str]:
    """Returns, for each row, how its budget differs from the most frequent one of its task; empty if it does not."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for task, budget in zip(tasks, budgets, strict=True):
        if budget is not None:
            counts[task][budget] += 1
    # Of two equally frequent budgets, the larger one is the usual one.
    usual = {task: max(counter, key=lambda budget: (counter[budget], budget)) for task, counter in counts.items()}
    return [_note(budget, usual.get(task)) for task, budget in zip(tasks, budgets, strict=True)]


def _note(budget: int | None, usual: int | None) -> str:
    if budget is None or usual is None or budget == usual:
        return ""
    others = f"where other rows of the task had {'one setting' if usual == 1 else f'{usual} trials'}"
    return f"not searched, {others}" if budget == 1 else f"searched over {budget} trials, {others}"
