"""Records keep the training losses of final fits, and none of the search's fits."""

import pytest

from tlbench.results.leaderboard import frame
from tlbench.results.render.page import Page
from tlbench.results.render.report.html import Html


def test_final_fits_keep_their_losses_and_the_page_draws_them(runs):
    record = runs.one("full-finetune", trials=2, seeds=(0, 1), max_steps=30)
    for fit in record.fits:
        losses = [point for point in fit.history if point.score is None]
        assert len(losses) == 20
        assert losses[-1].step == 30
        # The first tenth of the steps is two of the twenty parts.
        first = fit.notes["first_loss"]
        assert sum(point.loss * step for point, step in zip(losses[:2], (2, 1), strict=True)) / 3 == pytest.approx(
            first
        )
    assert not any(trial.history for trial in record.trials)
    files = dict(Html().files(Page(frame([record]), "one"), runs.store))
    page = files[f"cells/{record.cell.id}.html"].decode()
    assert "training loss, against steps" in page
    assert "final fit, seed 1" in page
