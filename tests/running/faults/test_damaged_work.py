"""A damaged file in the folder of an unfinished cell counts as missing, and what it held is made again."""

import shutil

import pytest

from tests.running.conftest import Runs, essence
from tests.running.faults.damage import DAMAGES, files_of, interrupted_before, made_again, toys


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """Folders of runs that were interrupted before scoring and before the commit, and the undisturbed record."""
    root = tmp_path_factory.mktemp("damaged")
    found = {step: interrupted_before(root / step, step) for step in ("scoring", "committing")}
    with toys():
        calm = made_again(Runs(root / "calm"), found["committing"])
    return found, calm


def check(runs, templates, step, damaged):
    found, calm = templates
    record = made_again(runs, found[step], damaged)
    assert record.status == "ok", f"{damaged}: {record.reason}"
    assert essence(record) == essence(calm), damaged
    assert record.digests == calm.digests, damaged
    assert record.validation_predictions == calm.validation_predictions, damaged
    assert record.test_reads >= calm.test_reads, damaged


@pytest.mark.parametrize("step", ["scoring", "committing"])
def test_a_bit_of_any_file_of_an_unfinished_cell(runs, templates, step):
    names = files_of(templates[0][step])
    assert len(names) > 10
    for name in names:
        check(runs, templates, step, [(name, DAMAGES["one bit"])])


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_files_of_an_unfinished_cell_at_once(runs, templates, damage):
    check(runs, templates, "committing", [(name, DAMAGES[damage]) for name in files_of(templates[0]["committing"])])


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_damage_of_every_file(runs, templates):
    count = 0
    for step in ("scoring", "committing"):
        for name in files_of(templates[0][step]):
            for damage in DAMAGES.values():
                check(runs, templates, step, [(name, damage)])
                count += 1
    print(f"{count} damaged files, each made again")


def test_a_folder_in_the_place_of_a_file_is_named(runs, templates, capsys):
    from tlbench.cli.app import _main

    shutil.rmtree(runs.folder, ignore_errors=True)
    shutil.copytree(templates[0]["scoring"], runs.folder)
    winner = next((runs.folder / "work").glob("*/winner.json"))
    winner.unlink()
    winner.mkdir()
    names = ["-t", "toy-tone", "-b", "toy", "-S", "toy-tune", "--trials", "3", "--seeds", "2", "--no-baseline"]
    assert _main(["run", *names, "--device", "cpu", "--executor", "inline", "--out", str(runs.folder)]) == 1
    assert f"{winner}: not a regular file: remove it" in capsys.readouterr().err
