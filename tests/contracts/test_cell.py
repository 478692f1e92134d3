"""What makes two cells, searches or fits the same; and that no change of the code moves an id."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import tlbench
from tlbench.contracts.cell import DEFAULTS, FITS_PREFIX_LENGTH, Cell, Protocol, Ref
from tlbench.contracts.space import Range

ROOT = Path(__file__).parents[2]
BASE = Cell(Ref("sst2-lite"), Ref("linear-probe"), Protocol(), Ref("minilm-l6"))


def like(**fields):
    return msgspec.structs.replace(BASE, **fields)


def under(cell=BASE, **protocol):
    return msgspec.structs.replace(cell, protocol=msgspec.structs.replace(cell.protocol, **protocol))


# Records are looked up by these ids: if one of them changes, every result of users is lost.
GOLDEN = {
    "64642781beb9319c": BASE,
    "d4ad8346f879b1d1": like(backbone=None, strategy=Ref("majority")),
    "137115f3d16b08c2": like(strategy=Ref("linear-probe", 2)),
    "defad7d07cca1408": like(backbone=Ref("hf:FacebookAI/roberta-base@e2da8e2f811d1448a5b465c236feacd80ffbac7b")),
    "78d3a93d82e64bcf": like(needs=(Ref("backbone:minilm-l6"), Ref("task:mnli", 3))),
    "d56aa5b5a1d70404": like(space={"l2": Range(low=1e-4, log=True), "kind": ["a", "b"], "bias": True}),
    "64642743c41f56b0": under(trials=16, sampler="random", pruner="median"),
    "646427a452264cb6": under(seeds=(0, 1, 2), refit=True),
    "aa5e469b92ee488e": under(max_steps=96, train_limit=768, precision="fp32"),
    "86416c9a9afde0ba": under(epochs=2.5, max_seconds=60.0),
}


def test_ids_do_not_move():
    assert [cell.id for cell in GOLDEN.values()] == list(GOLDEN)


def test_every_field_of_a_protocol_is_in_the_table():
    assert set(DEFAULTS) == set(Protocol.__struct_fields__)


def test_equal_values_in_different_forms_have_one_id():
    assert like(space={"lr": 1.0, "k": [3]}).id == like(space={"k": 3, "lr": 1}).id
    assert like(space={"lr": Range(low=1.0, high=2.0)}).id == like(space={"lr": Range(low=1, high=2)}).id
    assert under(epochs=3.0).id == under(epochs=3).id
    assert like(space={"flag": True}).id != like(space={"flag": 1}).id


def test_time_limits_are_in_no_identity():
    limited = under(max_seconds=5.0)
    assert (limited.id, limited.search_id, limited.fits_id) == (BASE.id, BASE.search_id, BASE.fits_id)
    searched = under(trials=4)
    assert under(searched, max_seconds=5.0).id == searched.id


@pytest.mark.parametrize("changed", [{"sampler": "random"}, {"pruner": "median"}, {"sampler": "grid"}])
def test_sampler_and_pruner_do_not_matter_without_a_search(changed):
    assert under(**changed).id == BASE.id
    searched = under(trials=4)
    other = under(searched, **changed)
    assert other.id != searched.id
    assert other.search_id != searched.search_id
    assert other.fits_id == searched.fits_id


def test_trials_and_later_seeds_belong_to_the_cell_alone():
    base = under(trials=4, seeds=(0,))
    for larger in (
        under(base, trials=8),
        under(base, seeds=(0, 1, 2)),
        under(base, trials=8, seeds=(0, 5), refit=True),
    ):
        assert larger.id != base.id
        assert larger.search_id == base.search_id
        assert larger.fits_id == base.fits_id
        assert larger.id[:FITS_PREFIX_LENGTH] == base.id[:FITS_PREFIX_LENGTH]
    elsewhere = under(base, seeds=(1, 0))
    assert elsewhere.search_id != base.search_id, "a search runs at the first seed"
    assert elsewhere.fits_id == base.fits_id


@pytest.mark.parametrize(
    "other",
    [
        like(task=Ref("sst2-lite", 2)), like(strategy=Ref("full-finetune")), like(backbone=None),
        like(needs=(Ref("backbone:toy"),)), like(space={"l2": 0.1}), under(max_steps=10), under(epochs=1.0),
        under(train_limit=100), under(shots=8), under(train_fraction=0.5),
        under(precision="fp32"), under(folds=5, final="train+validation"),
    ],
)  # fmt: skip
def test_everything_a_fit_depends_on_is_in_all_three_identities(other):
    assert other.fits_id != BASE.fits_id
    assert other.search_id != BASE.search_id
    assert other.id != BASE.id
    assert other.fit_id({"l2": 0.1}, 0) != BASE.fit_id({"l2": 0.1}, 0)


def test_a_fit_is_its_params_and_seed():
    known = BASE.fit_id({"lr": 0.1, "steps": 3}, 0)
    assert under(trials=9, seeds=(0, 4)).fit_id({"steps": 3.0, "lr": 0.1}, 0) == known
    assert BASE.fit_id({"lr": 0.1, "steps": 3}, 1) != known
    assert BASE.fit_id({"lr": 0.2, "steps": 3}, 0) != known


def test_final_fits_on_train_and_validation_are_other_fits_of_the_same_search():
    base = under(trials=4)
    both = under(base, final="train+validation")
    assert both.id != base.id
    assert (both.fits_id, both.search_id) == (base.fits_id, base.search_id)
    assert both.fit_id({"lr": 0.1}, 0) == base.fit_id({"lr": 0.1}, 0) == base.fit_id({"lr": 0.1}, 0, "final")
    assert both.fit_id({"lr": 0.1}, 0, "final") != base.fit_id({"lr": 0.1}, 0, "final")
    # The winner is fitted again anyway.
    assert under(both, refit=True).id == both.id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"folds": 5}, "set final to train\\+validation"),
        ({"folds": 5, "final": "train+validation", "pruner": "median"}, "choose pruner or folds"),
        ({"final": "train+validation", "train_limit": 9}, "leave one out, or set folds"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**fields)


def test_a_fits_protocol_has_only_what_its_identity_has():
    one = Protocol(trials=8, seeds=(0, 1), max_seconds=9.0, refit=True, sampler="random", max_steps=5)
    other = Protocol(trials=2, seeds=(1,), max_steps=5)
    assert one.of_fit(1) == other.of_fit(1)
    assert one.of_fit(1).max_steps == 5
    folded = Protocol(folds=3, final="train+validation", train_limit=9)
    assert folded.of_fit(0) == Protocol(train_limit=9).of_fit(0)


@pytest.fixture
def grown(tmp_path):
    """The package with one more field in `Protocol`, as a later version may have it."""
    source = Path(tlbench.__file__).parent
    for path in source.rglob("*.py"):
        copy = tmp_path / "tlbench" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    cell = tmp_path / "tlbench" / "contracts" / "cell.py"
    text = cell.read_text(encoding="utf-8")
    for old, new in (
        (
            '    sampler: Sampler = "tpe"\n',
            '    sampler: Sampler = "tpe"\n    copies: PositiveInt | None = None\n',
        ),
        (
            "DEFAULTS: dict[str, Default] = {\n",
            'DEFAULTS: dict[str, Default] = {\n    "copies": Default(None, "fit"),\n',
        ),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    cell.write_text(text, encoding="utf-8")

    def run(code):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        ended = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_a_new_field_of_a_protocol_leaves_every_id_and_every_committed_table(grown):
    pages_checked = grown(
        f"""
import importlib.util, io, sys
from contextlib import redirect_stdout
from pathlib import Path

import msgspec

from tlbench.cli.app import _main
from tlbench.contracts.cell import Protocol

spec = importlib.util.spec_from_file_location("golden", {str(Path(__file__))!r})
golden = importlib.util.module_from_spec(spec)
spec.loader.exec_module(golden)
assert "copies" in Protocol.__struct_fields__
for key, cell in golden.GOLDEN.items():
    assert cell.id == key, cell
    assert golden.under(cell, copies=4).id != key
pages = 0
for folder in sorted(Path({str(ROOT / "leaderboards")!r}).glob("*/tlbench.json")):
    page, shown = folder.parent.with_suffix(".md"), io.StringIO()
    with redirect_stdout(shown):
        assert _main(["leaderboard", "--out", str(folder.parent), "--format", "markdown"]) == 0
    assert shown.getvalue() == page.read_text(encoding="utf-8"), page
    pages += 1
print(pages)
"""
    )
    assert int(pages_checked) == len(list((ROOT / "leaderboards").glob("*/tlbench.json"))) >= 8
