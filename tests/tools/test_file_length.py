from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def load():
    spec = importlib.util.spec_from_file_location("file_length", ROOT / "tools" / "file_length.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_long_file_is_named_and_a_short_one_is_not(tmp_path):
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "deep" / "long.py").write_text("x = 1\n" * 321)
    (tmp_path / "src" / "short.py").write_text("x = 1\n" * 320)
    (tmp_path / "elsewhere.py").write_text("x = 1\n" * 999)
    assert load().too_long(tmp_path) == [f"{Path('src/deep/long.py')}: 321 lines, the limit is 320"]


def test_constraints_name_no_registry_and_no_local_file():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) > 50
    assert all(line.count("==") == 1 and not set(line) & set("/@: ") for line in pins)
    assert len({line.partition("==")[0] for line in pins}) == len(pins)
