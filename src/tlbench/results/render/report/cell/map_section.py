"""The map of a cell's test examples, where `tlbench map` has made one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlbench.contracts.record import Record
from tlbench.results.pictures.stored_map import read_map
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.render.charts.chart_axes import COLOURS
from tlbench.results.render.charts.map_chart import OTHER, MapPoint, colour_of, map_svg
from tlbench.results.render.escaping import printable
from tlbench.results.render.report.cell.trial_charts import KeyedChart
from tlbench.results.render.report.templating import drawing

_MOST_CHARACTERS = 80


def map_chart(record: Record, predictions: Path | None) -> KeyedChart | None:
    """Returns the map with a key of its classes; None if there is none, or it is of other examples."""
    found = None if predictions is None else read_map(predictions)
    if found is None or predictions is None:
        return None
    try:
        answers = read_predictions(predictions, digest=record.predictions_digest)
    except (OSError, ValueError):  # a damaged file has no examples to show
        return None
    if answers is None or found.seed not in answers.seeds:
        return None
    names = record.report.names
    targets, values = answers.targets, answers.values[answers.seeds.index(found.seed)]
    has_classes = bool(names) and targets.ndim == 1 and targets.dtype.kind in "iu"
    place = {example: row for row, example in enumerate(answers.ids)}
    points = []
    for example, x, y in zip(found.examples, found.x, found.y, strict=True):
        if (row := place.get(example)) is None:
            return None
        group = int(targets[row]) if has_classes else -1
        is_right = not has_classes or bool(np.all(values[row] == targets[row]))
        title = printable(example, _MOST_CHARACTERS)
        if has_classes:
            title += f": {_name(names, group)}"
            title += "" if is_right else f", predicted {_name(names, int(values[row]))}"
        points.append(MapPoint(x, y, group, is_right, title))
    groups = sorted({point.group for point in points} - {-1})
    key = [(colour_of(group), _name(names, group), False) for group in groups if group < len(COLOURS)]
    key += [(OTHER, "other classes", False)] if any(group >= len(COLOURS) for group in groups) else []
    shares = " and ".join(f"{100 * share:.0f}%" for share in found.explained)
    remark = (
        f"The first two principal components of the encoder's features ({shares} of the variance), of {len(points)} "
        f"test examples, at seed {found.seed}."
    )
    remark += " Rings are wrong answers." if has_classes else ""
    return KeyedChart("Map of features", drawing(map_svg(points, remark)), tuple(key), remark)


def _name(names: tuple[str, ...], number: int) -> str:
    return printable(names[number] if 0 <= number < len(names) else number, _MOST_CHARACTERS)
