"""A record averages over the final fits what each of them has measured."""

from types import SimpleNamespace

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import OrderResult
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.outputs import Classes
from tlbench.contracts.record import FitResult
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import Winner
from tlbench.running.cells.cell_record import CellFits, build_record

INFO = TaskInfo("t", Classes(("no", "yes")), ("accuracy",))


def record(*truncated):
    finals = tuple(FitResult({}, seed, "final", 0, "ok", truncated=each) for seed, each in enumerate(truncated))
    attempt = Attempt(Cell(Ref("t"), Ref("s"), Protocol()), "folder", 1, ())
    settings = SimpleNamespace(info=INFO, batch_rows=None)
    return build_record(attempt, settings, CellFits((), finals, Winner({}, (0,), 0, None)), OrderResult())


def test_shares_of_cut_texts_are_averaged_over_the_seeds_that_have_them():
    made = record({"test": 0.5, "train": 0.1, "validation": 0.0}, {"train": 0.3, "test": 0.5}, {})
    assert made.truncated == {"train": 0.2, "validation": 0.0, "test": 0.5}
    assert list(made.truncated) == ["train", "validation", "test"]
    assert record({}).truncated == {}
