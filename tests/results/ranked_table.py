"""A table of records whose predictions are at hand, ranked by paired tests."""

from tlbench.metrics import METRICS
from tlbench.results.leaderboard import Table
from tlbench.results.ranking import by_predictions
from tlbench.results.records.stored_predictions import predictions_in
from tlbench.results.records.summaries import summaries_of


def ranked_table(made, cells, metrics=("accuracy",), failed=()):
    """Returns the table of cells, each with its predictions, and of failed cells."""
    records = [made.record(cell, predictions, metrics) for cell, predictions in cells]
    records += [made.record(cell, None, metrics, status="oom") for cell in failed]
    kept = {cell.id: predictions_in({name: column.to_numpy() for name, column in p.items()}) for cell, p in cells}

    def ranked(metric, group):
        return by_predictions(metric, group, lambda summary: kept[summary.cell])

    return Table(summaries_of(records), ranked=ranked, metrics=METRICS)
