"""Runs the code blocks of a page in order, as a reader would, with toys in place of real backbones and few steps."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

import tlbench
from tests.api.conftest import HERE
from tlbench.cli.app import _main
from tlbench.results.records.store import Store
from tools.docs_site.code_blocks import Block

STAND_INS = {"minilm-l6": "toy", "minilm-l3": "toy", "efficientnet-lite0": "fractal-resnet", "sst2-lite": "toy-tone"}
"""Names on the pages, and those of the small objects that tests use."""
QUICK = "--executor inline --device cpu --jobs 1"
STATUS_1_IS_AN_ANSWER = {"compare", "check"}
"""Commands whose exit status 1 is what the page is about."""
CELL = "5f5a612b"
"""The id of a cell on the pages; the best cell of the folder stands for it."""


class PageReader:
    """A reader in a folder of its own, whose Python namespace and files last from block to block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values: dict[str, object] = {"__name__": "__page__"}
        self.ran = 0

    def read(self, block: Block) -> None:
        """Runs a block, or writes it to the file that its first line names."""
        if block.mark or block.language in {"text", "yaml"}:
            return
        text = stand_ins(block.text)
        text = text.replace(CELL, self._best()) if CELL in text and block.language == "python" else text
        if block.file:
            text = text.partition("\n")[2] if block.language == "csv" else text
            (self.folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.file).write_text(text + "\n", encoding="utf-8")
            if "[[cells]]" in text:
                self.call(f"tlbench plan --suite {block.file}")
        elif block.language == "python":
            exec(compile(text, f"block of line {block.line}", "exec"), self.values)
        elif block.language == "sh":
            for line in re.sub(r"\\\n\s*", "", text).splitlines():
                self.call(line)
        else:
            raise AssertionError(f"line {block.line}: {block.language} without a file's name in its first line")
        self.ran += 1

    def call(self, line: str) -> None:
        """Runs a command line: `tlbench` or `python`, with variables before it and a file for its output after it."""
        words = shlex.split(line, comments=True)
        exported = words[:1] == ["export"]
        assigned = [word for word in words[exported:] if re.match(r"[A-Z_]+=", word)]
        words = words[exported + len(assigned) :]
        before = {**os.environ}
        for name, _, value in (word.partition("=") for word in assigned):
            os.environ[name] = f"{before[name]},{value}" if name == "TLBENCH_PLUGINS" else value
        if words:
            self._run(words, line)
        if not exported:
            os.environ.clear()
            os.environ.update(before)

    def _run(self, words: list[str], line: str) -> None:
        file = Path(words.pop()) if words[-2:-1] == [">"] and words.pop(-2) else None
        printed = io.StringIO()
        with redirect_stdout(printed if file else sys.stdout):
            program, *arguments = words
            if program == "python":
                runpy.run_path(arguments[0], run_name="__main__")
            else:
                assert program == "tlbench", f"a test cannot run {line!r}: mark what its block needs"
                self._tlbench(arguments)
        if file:
            file.write_text(printed.getvalue(), encoding="utf-8")

    def _tlbench(self, arguments: list[str]) -> None:
        arguments = [word.replace(CELL, self._best()) if CELL in word else word for word in arguments]
        command = arguments[0]
        allowed = (0, 1) if command in STATUS_1_IS_AN_ANSWER else (0,)
        status = _main(quick(arguments))
        assert status in allowed, f"exit status {status} of tlbench {shlex.join(arguments)}"

    def _best(self) -> str:
        folder = os.environ.get("TLBENCH_OUT") or "tlbench-results"
        done = [record.cell for record in Store(self.folder / folder).records() if record.status == "ok"]
        assert done, f"no cell of {folder} has a score, which {CELL} could stand for"
        return next((cell for cell in done if cell.backbone), done[0]).id


def stand_ins(text: str) -> str:
    """Returns a text with the toys' names."""
    for name, toy in STAND_INS.items():
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", toy, text)
    return text


def quick(arguments: list[str]) -> list[str]:
    """Returns a command with options that make it quick, in this process."""
    command = arguments[0]
    if command not in {"run", "find"}:
        return arguments
    added = QUICK.split()
    if command == "run" and not {"-s", "--suite"} & {*arguments}:
        added.append("--no-baseline")
    if not {"--max-steps", "--epochs"} & {*arguments}:
        added += ["--max-steps", "2"]
    if command == "find":
        # Among the toys, and over as soon as anything has a score.
        added += ["--until", "accuracy>0.6"] if "--until" not in arguments else []
        added += ["-b", "toy"] if "-b" not in arguments else []
        added += ["-S", "majority", "-S", "linear-probe"] if "-S" not in arguments else []
    return [*arguments, *added]


def quick_run(*arguments: object, **options: object) -> object:
    """Calls `tlbench.run` in this process, with few steps and seeds."""
    return _RUN(*arguments, **{"max_steps": 2, **options, **HERE})


def quick_find(*arguments: object, **options: object) -> object:
    """Calls `tlbench.find` in this process, among the toys."""
    chosen = {"backbones": "toy", "strategies": ["majority", "linear-probe"], "until": "accuracy>0.6", "max_steps": 2}
    return _FIND(*arguments, **{**chosen, **options, **HERE})


_RUN, _FIND = tlbench.run, tlbench.find
