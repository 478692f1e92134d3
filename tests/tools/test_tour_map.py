from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tour_map():
    spec = importlib.util.spec_from_file_location("tour_map", ROOT / "tools" / "tour_map.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_module_stands_beside_its_first_line(tmp_path, tour_map):
    for path, text in {
        "src/tlbench/__init__.py": '"""The core."""',
        "src/tlbench/contracts/__init__.py": '"""Contracts."""',
        "src/tlbench/contracts/cell.py": '"""Cells.\n\nMore."""',
        "src/tlbench/cli/__init__.py": '"""Commands."""',
        "plugins/tlbench-a/src/tlbench_a/__init__.py": '"""A plugin."""',
        "plugins/tlbench-a/src/tlbench_a/part.py": '"""A part."""',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    made = tour_map.tour_map(tmp_path)
    assert [line for line in made.splitlines() if line.startswith("###")] == [
        "### `src/tlbench/`", "### `src/tlbench/cli/`", "### `src/tlbench/contracts/`",
        "### `plugins/tlbench-a/src/tlbench_a/`",
    ]  # fmt: skip
    assert "- [cell.py](../src/tlbench/contracts/cell.py): Cells." in made
    assert "- [part.py](../plugins/tlbench-a/src/tlbench_a/part.py): A part." in made


def test_what_stands_above_the_map_is_kept_and_an_old_map_is_replaced(tmp_path, tour_map):
    (tmp_path / "src" / "tlbench").mkdir(parents=True)
    (tmp_path / "src" / "tlbench" / "__init__.py").write_text('"""The core."""')
    tour = f"# A tour\n\n{tour_map.START}\nold\n"
    made = tour_map.with_map(tour, tmp_path)
    assert made.startswith(f"# A tour\n\n{tour_map.START}\n")
    assert "old" not in made
    assert tour_map.with_map(made, tmp_path) == made
    with pytest.raises(ValueError, match="lacks the line"):
        tour_map.with_map("# A tour\n", tmp_path)


def test_every_link_of_the_tour_is_a_file():
    import re

    links = re.findall(r"\]\((\.\./[^)#]+)\)", (ROOT / "docs" / "tour.md").read_text())
    assert len(links) > 150
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
