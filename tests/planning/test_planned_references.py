"""Published scores in suite files, and the planned cells that repeat their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import SuiteError
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Patch, read_suite

BLOCKS = """
[[cells]]
tasks = ["toy-tone"]
strategies = ["toy-majority"]
protocol = { shots = [2, 4] }
"""
SCORE = 'metric = "accuracy"\nvalue = 0.5\nsetting = "s"\nsource = "Somebody 2020"\nurl = "https://example.org/a"\n'
REFERENCE = f'[[references]]\ntask = "toy-tone"\nstrategy = "toy-majority"\n{SCORE}'


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    return Catalog.discover()


def _planned(catalog: Catalog, folder: Path, references: str, selection: Selection | None = None) -> Plan:
    file = folder / "s.toml"
    file.write_text(BLOCKS + references)
    return plan(read_suite(file), catalog, selection)


def test_a_reference_is_of_the_cell_with_its_amount_of_data(catalog: Catalog, tmp_path: Path) -> None:
    planned = _planned(catalog, tmp_path, f"{REFERENCE}shots = 4\nstd = 0.01\n")
    (reference,) = planned.references
    (cell,) = [cell for cell in planned.cells if cell.protocol.shots == 4]
    assert (reference.cell, reference.score.value, reference.score.std) == (cell.id, 0.5, 0.01)


@pytest.mark.parametrize(
    ("protocol", "shown"), [(Patch(seeds=(7, 8)), True), (Patch(shots=2), False), (Patch(shots=(4, 9)), True)]
)
def test_another_amount_on_the_command_line_is_not_that_setting(
    catalog: Catalog, tmp_path: Path, protocol: Patch, shown: bool
) -> None:
    planned = _planned(catalog, tmp_path, f"{REFERENCE}shots = 4\n", Selection(protocol=protocol))
    assert bool(planned.references) is shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REFERENCE, r"references\[0\]: no \[\[cells\]\] of this suite have this task, backbone, strategy and amount"),
        (f"{REFERENCE}shots = 4\n".replace("0.5", "50.0"), r"accuracy is 1 or less, not 50; write points of 100"),
        (f"{REFERENCE}shots = 4\n".replace("0.5", "-0.5"), r"accuracy is 0 or more, not -0.5"),
        (f"{REFERENCE}shots = 4\n".replace('"accuracy"', '"acuracy"'), r"references\[0\]: .*acuracy.*accuracy"),
        (f"{REFERENCE}shots = 4\n".replace("toy-majority", "toy-majorit"), r"references\[0\]: .*toy-majority"),
        (f"{REFERENCE}shots = 4\nspread = 1\n", r"references\[0\]: unknown key spread; the keys here are"),
        (f"{REFERENCE}shots = 4\ntrain_limit = 9\n", r"references\[0\]: give one of train_limit"),
        (f"{REFERENCE}shots = 4\nstd = 0.1\nstderr = 0.1\n", r"references\[0\]: give std or stderr"),
        (f"{REFERENCE}shots = 4\nstd = -0.1\n", r"references\[0\]: .*the spread 0 or more"),
        (f"{REFERENCE}shots = 4\n".replace("0.5", "nan"), r"references\[0\]: .*must be finite"),
        (f"{REFERENCE}shots = 4\n".replace("https:", "javascript:"), r"references\[0\].url"),
        (f"{REFERENCE}shots = 4\n".replace("org/a", "org/a)(b"), r"references\[0\].url"),
    ],
)
def test_mistakes_are_named_with_their_place(catalog: Catalog, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        _planned(catalog, tmp_path, text)


def test_a_misspelt_key_of_cells_is_not_sent_to_references(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(BLOCKS.replace("tasks =", "task ="))
    with pytest.raises(SuiteError, match=r"cells\[0\]: unknown key task; did you mean tasks\?"):
        read_suite(file)
