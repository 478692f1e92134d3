"""`make site`: a site of the committed leaderboards."""

from __future__ import annotations

from pathlib import Path

from tools.leaderboards.site import main, site_files
from tools.leaderboards.tables import read_tables

ROOT = Path(__file__).resolve().parents[2]


def test_a_rebuild_gives_the_same_bytes_and_every_link_leads_to_a_file(tmp_path, capsys):
    tables = read_tables(ROOT / "leaderboards" / "tables.toml", ["vision-lite", "qa"])
    files = dict(site_files(ROOT, tables))
    assert main([str(tmp_path / "site"), "vision-lite", "qa"]) == 0
    assert f"{len(files)} files" in capsys.readouterr().out
    assert all((tmp_path / "site" / name).read_bytes() == content for name, content in files.items())
    for name, content in files.items():
        if name.endswith(".html"):
            for address in _addresses(content.decode()):
                assert (tmp_path / "site" / name).parent.joinpath(address).resolve().is_file(), f"{name}: {address}"
    index = files["index.html"].decode()
    assert 'href="vision-lite/index.html"' in index
    assert "own texts" in index


def _addresses(page: str) -> set[str]:
    """Returns the addresses of other files that a page names."""
    parts = [part.partition('"')[0] for mark in ('href="', 'src="') for part in page.split(mark)[1:]]
    return {part.partition("#")[0] for part in parts if not part.startswith(("#", "data:", "https:"))}
