"""Carries out a search, shows it while it goes on, and prints its answer."""

from __future__ import annotations

import msgspec

from tlbench.cli.checking.before_run import print_first_checks
from tlbench.cli.finding.answer_texts import print_answer
from tlbench.cli.finding.find_view import shown
from tlbench.cli.text_tables import console
from tlbench.finding.answering.answer import FindAnswer
from tlbench.finding.find import Asked, find


def find_and_print(asked: Asked, as_json: bool, afresh: bool) -> int:
    """Searches and prints the answer.

    Returns:
        The exit status: 0, or 1 if no fit gave a score or the winner has no test score.
    """
    print_first_checks([asked.task.ref.name], asked.catalog)
    terminal = console()
    with shown(terminal, asked, is_hidden=as_json) as watcher:
        answer = find(asked, watcher, afresh)
    if as_json:
        print(answer_json(answer))
    else:
        print_answer(answer, asked.out)
    return 0 if answer.winner is not None and answer.winner.test is not None else 1


def answer_json(answer: FindAnswer) -> str:
    """Returns the answer as indented JSON in ASCII, so that no text of it can send control characters."""
    import json

    return json.dumps(msgspec.to_builtins(answer), indent=1)
