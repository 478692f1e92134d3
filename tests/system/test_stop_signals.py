"""SIGTERM and SIGHUP end a command as Ctrl-C does."""

import os
import signal

import pytest

from tlbench.system.stop_signals import Stopped, exit_status, stop_on_signals


@pytest.fixture(autouse=True)
def default_handlers():
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_an_interruption_with_its_own_exit_status(number, status):
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt) as stop:
        signal.raise_signal(number)
    assert isinstance(stop.value, Stopped)
    assert exit_status(stop.value) == status
    assert exit_status(KeyboardInterrupt()) == 130
    assert signal.getsignal(number) == signal.SIG_DFL, "a second signal ends the process at once"


def test_under_nohup_a_hangup_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_on_signals()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_forked_process_is_ended_by_the_signal_itself():
    stop_on_signals()
    child = os.fork()
    if child == 0:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            os._exit(1)
    _, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended)
    assert os.WTERMSIG(ended) == signal.SIGTERM
