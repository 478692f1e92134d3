"""The log of a run: every line has the run's id."""

from __future__ import annotations

import logging
import os
import re

from tlbench.running.monitoring.run_log import RUN_VARIABLE, log_as_worker, logged, new_run_id

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARNING) run=[0-9a-f]{8} tlbench\.\w+: .*")


def test_lines_of_two_runs_are_told_apart_and_hold_no_control_characters(tmp_path):
    log, ids = logging.getLogger("tlbench.some"), [new_run_id(), new_run_id()]
    level = logging.getLogger("tlbench").level
    log.info("before")
    for run in ids:
        with logged(tmp_path, run) as path:
            log.info("a \x1b[31mname\nof two lines")
            log.warning("worker lost")
            log.debug("a detail")
            assert os.environ[RUN_VARIABLE] == run
    log.warning("after")
    lines = path.read_text().splitlines()
    assert len(lines) == 4
    assert all(LINE.fullmatch(line) for line in lines)
    assert [line.split("run=")[1][:8] for line in lines] == [ids[0], ids[0], ids[1], ids[1]]
    assert lines[0].endswith("a name of two lines")
    assert logging.getLogger("tlbench").level == level
    assert RUN_VARIABLE not in os.environ


def test_a_log_that_cannot_be_written_does_not_stop_the_run(tmp_path):
    with logged(tmp_path / "nowhere", new_run_id()):
        logging.getLogger("tlbench.some").info("a note")


def test_the_log_lines_of_a_worker_have_the_id_too(capsys, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    # A worker has not run the command line, which prints log lines, too.
    monkeypatch.setattr(logging.getLogger("tlbench"), "handlers", [])
    log_as_worker("")
    assert not root.handlers
    log_as_worker("0123abcd")
    log_as_worker("0123abcd")
    assert len(root.handlers) == 1
    logging.getLogger("tlbench.cache").warning("the disk is full")
    assert re.fullmatch(LINE.pattern + "\n", capsys.readouterr().err)
