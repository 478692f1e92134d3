"""Seeds: a number of them, a list, or one by its number."""

import pytest

from tlbench.cli.app import _main
from tlbench.cli.arguments.seeds import read_seeds
from tlbench.contracts.errors import UsageError


@pytest.mark.parametrize(
    ("seeds", "seed", "expected"),
    [
        (None, None, None),
        (None, [], None),
        ("3", None, 3),
        ("0,7", None, (0, 7)),
        ("7,", None, (7,)),
        ("0,", None, (0,)),
        (None, [7], (7,)),
        (None, [7, 8], (7, 8)),
    ],
)
def test_numbers_and_lists(seeds, seed, expected):
    assert read_seeds(seeds, seed) == expected


@pytest.mark.parametrize(
    ("seeds", "seed", "message"),
    [
        ("3", [7], "--seeds 3 and --seed 7: give one of them"),
        ("a", None, "--seeds a: give a number of seeds, as 3, or the seeds themselves, as 0,7,8; one seed is --seed 7"),
        ("", None, "give a number of seeds"),
        (",", None, "give a number of seeds"),
        ("7,,8", None, "give a number of seeds"),
        ("0", None, "at least one seed"),
        ("1,-2", None, "none below 0"),
    ],
)
def test_what_are_no_seeds_is_one_line(seeds, seed, message):
    with pytest.raises(UsageError, match=message):
        read_seeds(seeds, seed)


def test_one_seed_is_the_same_cell_however_it_is_written(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_OUT", str(tmp_path / "out"))
    shown = []
    for option in (["--seeds", "7,"], ["--seed", "7"], ["--set", "seeds=7,"], ["--seeds", "7"]):
        assert _main(["plan", "-t", "toy-tone", "-S", "toy-majority", "--cells", *option]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2] != shown[3]
