"""The texts about a run that the live view, logs and `tlbench status` share."""

from __future__ import annotations

from tlbench.cli.text_tables import ListColumn, listing_lines, shortened_middle
from tlbench.contracts.record import Record
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.run_status import OrderStatus, RunStatus
from tlbench.running.monitoring.time_texts import duration, left_text

_MAX_ORDERS = 6
"""Maximum number of workers whose work is named in one line of a log."""
_MIN_TASK = 20
_COLUMNS = ("worker", "strategy", "backbone", "progress", "time", "task")


def record_line(record: Record, done: int, total: int) -> str:
    """Returns one line about a finished cell, for output that is not a terminal, such as a log file."""
    width = len(str(total))
    head = f"[{done:>{width}}/{total}] {printable(record.cell.title)}"
    if record.status != "ok":
        return f"{head}  {record.status}: {printable(record.reason)}"
    metric = record.metrics[0]
    # Slices of the test split have scores of the same metric.
    scores = [score for score in record.scores if score.metric == metric and score.slice is None]
    value = sum(score.value for score in scores) / len(scores)
    seeds = f" over {len(scores)} seeds" if len(scores) > 1 else ""
    return f"{head}  {printable(metric)} {value:.3f}{seeds}  {duration(record.seconds.total)}"


def progress_line(status: RunStatus) -> str:
    """Returns one line about a run in progress: elapsed time, finished cells, time left, and what the workers do."""
    left = left_text(status)
    head = f"{duration(status.updated - status.began)}: {status.done} of {status.total} cells"
    orders = [_order_text(order) for order in status.orders[:_MAX_ORDERS]]
    if len(status.orders) > _MAX_ORDERS:
        orders.append(f"and {len(status.orders) - _MAX_ORDERS} more")
    return f"{head}{f', {left}' if left else ''}; {'; '.join(orders) or 'starting the workers'}"


def order_rows(status: RunStatus, width: int | None) -> list[str]:
    """Returns an aligned line for each worker, fitted to a width."""
    rows = [
        (str(one.worker), one.strategy, one.backbone or "-", one.phase, duration(one.seconds), one.task)
        for one in status.orders
    ]
    if width is not None:
        used = sum(max((len(row[i]) for row in rows), default=0) + 2 for i in range(5)) + 2
        # Both ends of a name with a path tell tasks apart, so its middle is cut.
        room = max(_MIN_TASK, width - used)
        rows = [(*row[:-1], shortened_middle(printable(row[-1]), room)) for row in rows]
    return listing_lines([ListColumn("") for _ in _COLUMNS], rows, None)[0][1:]


def _order_text(order: OrderStatus) -> str:
    names = " | ".join(name for name in (order.backbone, order.task, order.strategy) if name)
    return f"{printable(names)} {order.phase} ({duration(order.seconds)})"
