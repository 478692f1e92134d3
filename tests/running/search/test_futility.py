"""`stop = "futility"`: a cell whose winner is no better than a constant answer is not fitted at further seeds."""

import msgspec
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import FitResult
from tlbench.contracts.task import Example
from tlbench.results.leaderboard import frame
from tlbench.running.cells.cell_folder import Winner
from tlbench.running.cells.final_fits import FinalFits
from tlbench.running.search import futility
from tlbench.running.search.futility import Futility, futility_of


def test_no_better_than_a_constant_answer_is_futile():
    assert Futility(0.5, True).reason(0.5) == "validation 0.5, and 0.5 for a constant answer"
    assert Futility(0.5, True).reason(0.4)
    assert not Futility(0.5, True).reason(0.51)
    assert Futility(0.7, False).reason(0.9)
    assert not Futility(0.7, False).reason(0.69)
    assert not Futility(0.5, True).reason(None)


class Folder:
    """The part of a cell's folder that final fits use, in memory."""

    def __init__(self):
        self.saved = {}

    def finals(self):
        return list(self.saved.values())

    def save_final(self, result):
        self.saved[result.seed] = result

    def predictions(self, seed):
        return None


class Nothing:
    """No fits of other cells."""

    def final(self, fit, path):
        return None


def _final(seed, validation):
    return FitResult({}, seed, "final", 0, "ok", validation=validation)


@pytest.mark.parametrize("in_one_pass", [True, False])
@pytest.mark.parametrize(("validation", "others"), [(0.4, []), (0.6, [1, 2])])
def test_without_a_search_the_first_seed_decides_even_after_a_kill(in_one_pass, validation, others):
    folder, winner = Folder(), Winner({}, (0, 1, 2), 0, None)

    def opened():
        return FinalFits(winner, folder, Nothing(), Futility(0.5, True))

    finals = opened()
    assert [fit.seed for fit in finals.ask(in_one_pass)] == [0]
    assert finals.ask(in_one_pass) == []
    assert not finals.is_complete
    finals.tell([_final(0, validation)])
    for resumed in (finals, opened(), opened()):
        assert [fit.seed for fit in resumed.ask(in_one_pass)] == others
        assert resumed.is_complete == (not others)
    finals.tell([_final(seed, 0.1) for seed in others])
    assert finals.is_complete
    assert finals.seeds == (0, *others)
    assert [result.seed for result in opened().results] == [0, *others]


def test_after_a_search_its_score_decides_at_once():
    for validation, seeds in ((0.4, [0]), (0.6, [0, 1, 2])):
        finals = FinalFits(Winner({}, (0, 1, 2), 3, validation), Folder(), Nothing(), Futility(0.5, True))
        assert [fit.seed for fit in finals.ask(True)] == seeds


@pytest.mark.parametrize("trials", [1, 3])
def test_a_futile_cell_says_so_in_record_and_table(runs, trials):
    space = {"toy-guess": {"guess": 0.0}}
    # The baseline comes first in a plan, as it has no backbone.
    majority, guess = runs.run(["toy-guess", "toy-majority"], trials=trials, seeds=3, stop="futility", space=space)
    assert [fit.seed for fit in guess.fits] == [0]
    assert guess.reason == "stopped for futility after 1 of 3 seeds (validation 0.5, and 0.5 for a constant answer)"
    assert guess.validation == 0.5
    assert guess.test_reads == 2
    assert [len(majority.fits), majority.reason] == [3, ""]
    notes = frame([guess, majority]).set_index("strategy")["notes"]
    assert notes["toy-guess"] == "stopped for futility after 1 of 3 seeds; collapsed: one answer"
    assert notes["toy-majority"] == ""


def test_a_cell_that_leaves_the_floor_has_all_seeds_and_other_protocols_never_stop(runs):
    probe = runs.one("linear-probe", tasks=["toy-count"], seeds=2, stop="futility")
    assert len(probe.fits) == 2
    cell = probe.cell
    info = runs.catalog.task("toy-count").item

    def rule(**changes):
        changed = msgspec.structs.replace(cell, protocol=msgspec.structs.replace(cell.protocol, **changes))
        return futility_of(runs.catalog, changed, info, runs.catalog.metric(info.metrics[0]))

    assert rule() == Futility(0.0, True)
    assert rule(stop="none") is None
    assert rule(seeds=(0,)) is None
    cell = msgspec.structs.replace(cell, strategy=Ref("random-probe"))
    assert rule() is None, "gains are measured over it"


@pytest.mark.parametrize(("targets", "floor"), [((0, 1), 0.5), ((1, 1), None), ((0, 0), None)])
def test_validation_examples_of_one_target_stop_nothing(runs, monkeypatch, targets, floor):
    """There a constant answer is perfect, or all answers score 0, so a good fit could be no better."""
    cell = Cell(Ref("toy-tone"), Ref("toy-guess"), Protocol(seeds=(0, 1), stop="futility"))

    class OneTarget:
        def __init__(self, task):
            pass

        def validation_of(self, amount):
            return [Example(f"{i}", ("",), target) for i, target in enumerate(targets)]

        def subset(self, seed, amount):
            return [Example("0", ("",), 0), Example("1", ("",), 1)]

    monkeypatch.setattr(futility, "Splits", OneTarget)
    info = runs.catalog.task("toy-tone").item
    for metric in ("accuracy", "f1"):
        rule = futility_of(runs.catalog, cell, info, runs.catalog.metric(metric))
        assert (rule is None) == (floor is None)


def test_only_cells_with_several_seeds_have_another_identity():
    def cell(**protocol):
        return Cell(Ref("sst2-lite"), Ref("linear-probe"), Protocol(**protocol), Ref("minilm-l6"))

    plain, stopped = (cell(seeds=(0, 1), stop=stop) for stop in ("none", "futility"))
    assert plain.id != stopped.id
    assert (plain.fits_id, plain.search_id) == (stopped.fits_id, stopped.search_id)
    assert cell(stop="futility").id == cell().id
