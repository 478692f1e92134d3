"""What the documentation shows works as it stands: every code block is run, or says visibly what it needs."""

from __future__ import annotations

import csv
import importlib
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

import tlbench
from tests.tools.docs_site.page_reader import PageReader, quick_find, quick_run
from tools.docs_site.code_blocks import LANGUAGES, MARKS, blocks_of, indented_lines

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
RUN_ELSEWHERE = {"python.md": "tests/api/test_python_page.py"}
"""Pages whose blocks have a test of their own."""
OTHER_CONVENTIONS = (
    "clusters*.md", "dense*.md", "installing*.md", "licences*.md", "plugins.md", "releasing*.md", "reliability*.md",
    "security*.md", "submissions*.md", "versioning*.md",
)  # fmt: skip
"""Pages whose blocks need services, weights or a release, or have tests of their own: their commands are parsed."""
EXAMPLES_OF_DOCSTRINGS = "reference/"
"""Pages made of docstrings, whose examples are fragments: they are compiled."""
PAGES = ["../README.md", *sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))]
ADDING = tuple(page for page in PAGES if page.startswith("howto/add-"))
LONGEST_CODE = 20
"""A block of Python in a how-to has fewer lines, blank ones and comments not counted."""


def blocks(page):
    return blocks_of((DOCS / page).read_text(encoding="utf-8"))


def has_other_conventions(page):
    return any(fnmatch(page, pattern) for pattern in OTHER_CONVENTIONS)


def reads_a_page():
    return [
        page
        for page in PAGES
        if page not in RUN_ELSEWHERE
        and not has_other_conventions(page)
        and any(block.language in {"sh", "python", "toml"} for block in blocks(page))
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that pages speak of, which is the working directory and on the path of modules."""
    for name, value in {
        "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin",
        "TLBENCH_DATA": str(tmp_path),
        "TLBENCH_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.delenv("TLBENCH_OUT", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tlbench, "run", quick_run)
    monkeypatch.setattr(tlbench, "find", quick_find)
    tables(tmp_path)
    images(tmp_path / "photos")
    before = {*sys.modules}
    yield tmp_path
    # Modules of pages have names that another page's file may have.
    for name in {*sys.modules} - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]
    importlib.invalidate_caches()


def table(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])


def tables(folder):
    words = ("dull", "lovely")
    texts = [(f"a {words[n % 2]} film of {1900 + n}", ("bad", "good")[n % 2]) for n in range(60)]
    table(folder / "reviews.csv", ("review", "stars"), texts)
    table(folder / "questions.csv", ("question", "topic"), texts)
    table(folder / "ratings.csv", ("review", "rating"), [(text, n % 7 + 0.5) for n, (text, _) in enumerate(texts)])
    table(
        folder / "fraud.csv",
        ("message", "fraud"),
        [(text, ("no", "yes")[n % 5 == 0]) for n, (text, _) in enumerate(texts)],
    )
    table(folder / "dirty.csv", ("review", "stars"), [*texts, ("", "bad"), ("a film", ""), texts[0]])
    visits = [(text, label, f"p{n // 4}", f"2026-01-{n % 28 + 1:02}") for n, (text, label) in enumerate(texts)]
    table(folder / "visits.csv", ("note", "outcome", "patient", "date"), visits)
    table(folder / "new.csv", ("review", "question"), [("a lovely film", "a dull film")] * 3)


def images(folder):
    from PIL import Image

    for number in range(20):
        path = folder / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (200 * (number % 2), number, 0)).save(path)


@pytest.mark.parametrize("page", [page for page in reads_a_page() if not page.startswith(EXAMPLES_OF_DOCSTRINGS)])
def test_the_blocks_of_a_page_run_in_order(folder, page):
    reader = PageReader(folder)
    for block in blocks(page):
        reader.read(block)
    assert reader.ran or all(block.mark for block in blocks(page) if block.language != "text")


@pytest.mark.parametrize("page", [page for page in reads_a_page() if page.startswith(EXAMPLES_OF_DOCSTRINGS)])
def test_the_examples_of_docstrings_are_python(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, f"{page}:{block.line}", "exec")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if not page.startswith("decisions/") and not has_other_conventions(page)]
)
def test_every_block_has_a_language_that_says_whether_it_runs(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert indented_lines(text) == [], "code is fenced, with its language"
    assert {block.language for block in blocks_of(text)} <= LANGUAGES


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("howto/")])
def test_code_of_how_tos_is_short(page):
    for block in blocks(page):
        lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) < LONGEST_CODE or block.language != "python", f"{page}:{block.line}"


def test_the_conformance_tests_of_the_pages_pass(folder):
    """The test files that pages print are given to pytest, in one process."""
    files = []
    for page in ADDING:
        for block in blocks(page):
            if block.file.endswith(".py"):
                (folder / block.file).write_text(block.text + "\n", encoding="utf-8")
                files += [block.file] if block.file.startswith("test_") else []
            elif block.language == "python":
                exec(compile(block.text, page, "exec"), {})
    assert len(files) == len(ADDING)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *files]
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 10 * len(ADDING), done.stdout[-500:]


def command_lines(text):
    """Yields the words of each line that calls `tlbench`, with the number of its line; shell operators end a call."""
    for found in re.finditer(r"^ *(?:\$ )?((?:[A-Z_]+=\S+ +)*tlbench +(?:[^\n\\]|\\\n)*)", text, re.MULTILINE):
        line = re.sub(r"\\\n", " ", found[1])
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = [word for word in lexer if not re.match(r"[A-Z_]+=", word)]
        end = next((place for place, word in enumerate(words) if word[0] in "|&;<>"), len(words))
        yield text.count("\n", 0, found.start()) + 1, words[1:end]


@cache
def all_commands():
    import typer

    from tlbench.cli.app import app

    return typer.main.get_command(app)


def parsed(arguments):
    """Parses a call, without running it."""
    command = all_commands()
    name, *rest = arguments
    while True:
        command = command.get_command(None, name)
        assert command is not None, f"there is no command {name}"
        if not hasattr(command, "commands"):
            return command.make_context(name, [*rest])
        name, *rest = rest


CODE = re.compile(r"^( *)```(?:sh|console|bash)\n(.*?)^\1```|((?:^ {4,}\S[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
WITH_COMMANDS = [
    ROOT / "README.md",
    *(page for folder in ("docs", "plugins", "benchmarks", "leaderboards") for page in (ROOT / folder).rglob("*.md")),
]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_have_the_options_that_they_are_given(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    wrong = []
    for code in CODE.finditer(text):
        for _, words in command_lines(code[0]):
            if words and not words[0].startswith("-"):
                try:
                    parsed(words)
                except Exception as error:
                    wrong.append(f"{shlex.join(words)}: {error}")
    assert wrong == []


def test_a_wrong_option_is_found():
    with pytest.raises(Exception, match="trails"):
        parsed(["run", "--trails", "3"])
    lines = command_lines("    A=b tlbench run -t 'x[a,b]' \\\n  --seeds 3 > file  # why\n    tlbench status | cat\n")
    assert [words for _, words in lines] == [["run", "-t", "x[a,b]", "--seeds", "3"], ["status"]]


def test_marks_are_comments_that_a_reader_sees():
    marked = [block for page in PAGES for block in blocks(page) if block.mark]
    assert marked
    assert all(block.text.startswith("# needs ") and block.mark in MARKS for block in marked)
