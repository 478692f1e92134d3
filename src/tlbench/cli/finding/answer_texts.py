"""Prints the answer of `tlbench find`, with the commands to go on with; the sentences are in `api/answer_facts.py`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tlbench.api.answer_facts import facts, setting_headings, setting_rows
from tlbench.cli.progress.next_steps import out_option
from tlbench.cli.text_tables import print_facts, print_rows
from tlbench.finding.answering.answer import FindAnswer
from tlbench.results.render.escaping import printable


def print_answer(answer: FindAnswer, out: Path) -> None:
    """Prints the answer: facts, a table of the winner and what ties with it, and the commands to go on with."""
    print_facts(list(facts(answer)))
    rows = setting_rows(answer)
    if rows:
        print()
        print_rows(setting_headings(answer), rows)
    if steps := next_commands(answer, out):
        print()
        print("\n".join(steps))


def next_commands(answer: FindAnswer, out: Path) -> list[str]:
    """Returns the commands that show and export the winner, each with a comment."""
    if answer.winner is None or not answer.winner.cell:
        return []
    cell, where = answer.winner.cell[:8], out_option(out)
    folder = shlex.quote(f"./{_short_name(answer.request.task)}-model")
    steps = [
        (f"tlbench show {cell}{where}", "scores, seeds and costs of the winner"),
        (f"tlbench leaderboard --all{where}", "all finalists"),
        (f"tlbench predict {cell} NEW.csv -o predicted.csv{where}", "new rows with the winner"),
        (f"tlbench export {cell} --to {folder}{where}", "the trained model, to use it without tlbench"),
    ]
    width = max(len(command) for command, _ in steps)
    return [f"{command:<{width}}  # {what}" for command, what in steps]


def _short_name(task: str) -> str:
    """Returns the beginning of a task's name as the name of a folder, without options and version."""
    name = printable(task).partition("[")[0].partition("@")[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.]+", "-", name).strip("-.") or "task"
