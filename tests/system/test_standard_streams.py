"""Standard streams that are closed or cannot write every character, and widths that are none."""

import io
import os
import subprocess
import sys

import pytest

from tlbench.system.standard_streams import prepare_streams

TEXT = "31.2\u201368.8 \xb11 \u201cx\u201d \u2026 \u8bcd\xe9"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("ascii", '31.2-68.8 +-1 "x" ... ??'), ("utf-8", TEXT), ("latin-1", '31.2-68.8 \xb11 "x" ... ?\xe9')],
)
def test_characters_that_a_stream_lacks_are_replaced(monkeypatch, encoding, text):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    prepare_streams()
    print(TEXT, end="", flush=True)
    assert written.getvalue().decode(encoding) == text


def test_a_handler_of_the_user_is_kept(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii", errors="xmlcharrefreplace"))
    prepare_streams()
    assert sys.stdout.errors == "xmlcharrefreplace"


@pytest.mark.parametrize(("width", "kept"), [("0", False), ("-1", False), ("", False), ("wide", False), ("120", True)])
def test_a_width_that_is_none_is_ignored(monkeypatch, width, kept):
    monkeypatch.setenv("COLUMNS", width)
    prepare_streams()
    assert ("COLUMNS" in os.environ) == kept


def test_files_do_not_take_the_place_of_closed_streams(tmp_path):
    code = (
        "from tlbench.system.standard_streams import prepare_streams; prepare_streams(); import os, sys\n"
        f"file = open({str(tmp_path / 'x')!r}, 'w'); print('lost', flush=True); print('lost', file=sys.stderr)\n"
        "sys.exit(file.fileno())"
    )
    ended = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code], check=False)
    assert ended.returncode > 2
    assert (tmp_path / "x").read_text() == ""
