"""`tlbench cache`: what it says, what it removes, and that it stays light."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tlbench.cli.app import _main

DAY = 86400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with entries of 10, 20 and 30 KiB, last used 40, 20 and 0 days ago, and what is none of its business."""
    path = tmp_path / "cache"
    path.mkdir()
    monkeypatch.setenv("TLBENCH_CACHE", str(path))
    for number, kind in enumerate(("tokens", "features", "features")):
        entry = path / f"{kind}-{number:032x}.safetensors"
        entry.write_bytes(bytes((number + 1) * 10240))
        used = time.time() - (40 - 20 * number) * DAY
        os.utime(entry, (used, used))
    for name in ("notes.txt", "tokens-1.safetensors", "model.safetensors"):
        (path / name).write_text("mine")
    return path


def _left(folder: Path) -> list[int]:
    return [
        int(path.stem[-1]) for path in sorted(folder.glob("*-" + "?" * 32 + ".safetensors"), key=lambda p: p.stem[-1])
    ]


def test_info_says_where_how_much_and_how_old(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "2GiB")
    assert _main(["cache", "info"]) == 0
    shown = capsys.readouterr().out
    lines = {line.split()[0]: line for line in shown.splitlines()}
    assert str(folder) in lines["folder"]
    assert "2.0 GiB" in lines["limit"]
    assert lines["entries"].split(maxsplit=1)[1] == "3, 60.0 KiB"
    assert lines["features"].split(maxsplit=1)[1] == "2, 50.0 KiB"
    assert lines["tokens"].split(maxsplit=1)[1] == "1, 10.0 KiB"
    year = time.strftime("%Y", time.localtime(time.time() - 40 * DAY))
    assert lines["last"].startswith(f"last used  between {year}")


def test_info_of_nothing_says_so_and_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "0")
    assert _main(["cache", "info"]) == 0
    shown = capsys.readouterr().out
    assert "not created yet" in shown
    assert "switched off" in shown
    assert not (tmp_path / "none").exists()
    assert _main(["cache", "prune", "--all"]) == 0
    assert "removed 0 entries: 0 bytes freed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "left", "freed"),
    [
        (["--older-than", "30d"], [1, 2], "removed 1 entry: 10.0 KiB freed"),
        (["--older-than", "1w"], [2], "removed 2 entries: 30.0 KiB freed"),
        (["--older-than", "50d"], [0, 1, 2], "removed 0 entries: 0 bytes freed"),
        (["--limit", "50KiB"], [1, 2], "removed 1 entry: 10.0 KiB freed"),
        (["--limit", "35KB", "--older-than", "50d"], [2], "removed 2 entries: 30.0 KiB freed"),
        (["--all"], [], "removed 3 entries: 60.0 KiB freed"),
        ([], [2], "removed 2 entries: 30.0 KiB freed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and isinstance(value[0], str) else None,
)
def test_prune_removes_the_longest_unused_and_says_what_was_freed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys, arguments: list[str], left: list[int], freed: str
) -> None:
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "40KiB")
    assert _main(["cache", "prune", *arguments]) == 0
    shown = capsys.readouterr().out
    assert freed in shown
    assert f"left: {len(left)} entr" in shown
    assert _left(folder) == left
    assert {path.name for path in folder.iterdir()} >= {"notes.txt", "tokens-1.safetensors", "model.safetensors"}


def test_a_cache_that_is_switched_off_keeps_what_it_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "0")
    assert _main(["cache", "prune"]) == 0
    assert _left(folder) == [0, 1, 2]


def test_prune_sweeps_what_a_killed_writer_left(folder: Path, capsys) -> None:
    (folder / f".tokens-{7:032x}.safetensors.draft").write_bytes(bytes(2048))
    assert _main(["cache", "prune"]) == 0
    assert "removed 0 entries and 1 unfinished: 2.0 KiB freed" in capsys.readouterr().out
    assert not list(folder.glob(".*.draft"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cache", "prune", "--older-than", "soon"], "--older-than soon: an age such as 30d"),
        (["cache", "prune", "--limit", "much"], "--limit much: a size such as 20GiB"),
        (["cache", "prune", "--all", "--limit", "1GiB"], "leave out --older-than and --limit"),
        (["cache"], "Missing command"),
        (["cache", "empty"], "empty"),
        (["run", "--suite", "glue-lite", "--cache-limit", "lots"], "--cache-limit lots: a size such as"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_users_mistake_is_one_line_and_exit_status_2(folder: Path, capsys, arguments, message) -> None:
    assert _main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert _left(folder) == [0, 1, 2]


def test_a_limit_in_the_environment_that_is_none_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "plenty")
    for arguments in (["cache", "info"], ["run", "--suite", "glue-lite"]):
        assert _main(arguments) == 2
        assert "TLBENCH_CACHE_LIMIT plenty: a size" in capsys.readouterr().err


def test_it_needs_neither_torch_nor_numpy(folder: Path) -> None:
    code = (
        "import sys; from tlbench.cli.app import _main\n"
        "status = _main(['cache', 'info']) or _main(['cache', 'prune'])\n"
        "print(status, sorted({'torch', 'numpy', 'transformers', 'optuna', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GiB", 20 << 30), ("500MB", 500 * 10**6), ("1.5G", 3 << 29), ("12 kib", 12 << 10), ("77", 77)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    from tlbench.modeling.disk.cache_settings import parse_size

    assert parse_size(text, "") == size


def test_the_folder_is_the_users_own_unless_something_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tlbench.modeling.disk.cache_settings import folder

    monkeypatch.delenv("TLBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder() == tmp_path / "tlbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert folder() == tmp_path / "me" / ".cache" / "tlbench"


READER = """
from tlbench import Strategy, hookimpl
from tlbench.testing.toys import ToyFit

class Reader(ToyFit):
    name = "toy-reader"

    def fit(self, job):
        job.activations.features(job.encoder, job.train)
        return super().fit(job)

@hookimpl
def tlbench_strategies():
    return [Reader()]
"""


@pytest.mark.parametrize(("option", "kept"), [(["--cache-limit", "0"], False), ([], True)])
def test_a_run_keeps_within_the_limit_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str], kept: bool
) -> None:
    (tmp_path / "toy_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,toy_reader")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    arguments = [
        "run",
        "-t",
        "toy-tone",
        "-b",
        "toy",
        "-S",
        "toy-reader",
        "--trials",
        "1",
        "--max-steps",
        "2",
        "--executor",
        "inline",
        *option,
    ]
    assert _main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert bool(list((tmp_path / "cache").glob("features-*"))) == kept


def test_a_limit_is_kept_for_all_runs_and_the_environment_comes_first(
    folder: Path, monkeypatch, tmp_path, capsys
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TLBENCH_CACHE_LIMIT", raising=False)

    def shown(*arguments: str, status: int = 0) -> str:
        assert _main(["cache", *arguments]) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    kept = tmp_path / "config" / "tlbench" / "cache-limit"
    assert shown("limit") == "10.0 GiB (default)\n"
    assert shown("limit", "45KiB") == f"45.0 KiB ({kept})\n"
    assert f"limit      45.0 KiB ({kept})\n" in shown("info")
    # Pruning without a size goes down to it.
    assert "removed 2 entries" in shown("prune")
    monkeypatch.setenv("TLBENCH_CACHE_LIMIT", "2GiB")
    assert shown("limit") == "2.0 GiB (TLBENCH_CACHE_LIMIT)\n"
    assert shown("limit", "0") == "2.0 GiB (TLBENCH_CACHE_LIMIT)\n"
    monkeypatch.delenv("TLBENCH_CACHE_LIMIT")
    assert shown("limit") == f"0: switched off ({kept})\n"
    kept.write_text("lots")
    assert f"{kept} lots: a size such as 20GiB" in shown("info", status=2)
    kept.write_text("\n")
    assert shown("limit") == "10.0 GiB (default)\n"
    assert shown("limit", "--default") == "10.0 GiB (default)\n"
    assert not kept.exists()
    assert "cache limit much: a size such as 20GiB" in shown("limit", "much", status=2)
    assert "give a size or --default, not both" in shown("limit", "1GiB", "--default", status=2)
    assert not kept.exists()


def test_entries_that_are_written_keep_to_the_limit_that_was_set(folder: Path, monkeypatch, tmp_path) -> None:
    import numpy as np

    from tlbench.modeling.disk.disk_cache import cached_arrays

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TLBENCH_CACHE_LIMIT", raising=False)
    assert _main(["cache", "limit", "65KiB"]) == 0
    cached_arrays("tokens", {"text": 1}, lambda: {"x": np.zeros(20 * 1024, "uint8")})
    # The entry that was used longest ago made room; the next one stays, since all others fit.
    assert sorted(path.stat().st_size // 10240 for path in folder.glob("*-" + "?" * 32 + ".safetensors")) == [2, 3]
