"""A function is called again and again while a block runs, and never after it."""

import threading

import pytest

from tlbench.system.background.periodic import called_every


def test_it_is_called_while_the_block_runs_and_not_after_it():
    calls, thrice = [], threading.Event()

    def action():
        calls.append(threading.current_thread().name)
        if len(calls) >= 3:
            thrice.set()

    with called_every(0.001, action, "tlbench-test"):
        assert thrice.wait(60)
    assert set(calls) == {"tlbench-test"}
    assert not [thread for thread in threading.enumerate() if thread.name == "tlbench-test"]


def test_it_ends_with_a_block_that_fails():
    with pytest.raises(ValueError, match="of the block"), called_every(60, lambda: None, "tlbench-test"):
        raise ValueError("of the block")
    assert not [thread for thread in threading.enumerate() if thread.name == "tlbench-test"]
