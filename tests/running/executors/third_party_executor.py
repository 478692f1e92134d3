"""A third-party executor: subprocesses that take one order after another, written with tlbench's public API alone."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass

import msgspec

from tlbench import Capacity, FitOrder, OrderResult, WorkerLost, hookimpl

WORKER = """
import sys, msgspec
from tlbench import FitOrder, carry_out
for line in sys.stdin.buffer:
    answer = carry_out(msgspec.json.decode(line, type=FitOrder), isolated=True)
    sys.stdout.buffer.write(b"\\nANSWER" + msgspec.json.encode(answer) + b"\\n")
    sys.stdout.buffer.flush()
"""


def started_process(order: FitOrder, log: str) -> subprocess.Popen[bytes]:
    """Returns a new subprocess with the environment of an order."""
    environment = {**os.environ, **order.environment, "OMP_NUM_THREADS": str(order.threads)}
    with open(log, "ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            env=environment,
            start_new_session=True,
        )


class Running:
    """The handle of an order that a subprocess carries out."""

    def __init__(self, order: FitOrder, process: subprocess.Popen[bytes], ended: threading.Condition) -> None:
        self.process, self.is_done, self._answer = process, False, b""
        threading.Thread(target=self._follow, args=(msgspec.json.encode(order), ended), daemon=True).start()

    def _follow(self, request: bytes, ended: threading.Condition) -> None:
        try:
            self.process.stdin.write(request + b"\n")
            self.process.stdin.flush()
            # Whatever else is printed is no answer.
            self._answer = next((line for line in self.process.stdout if line.startswith(b"ANSWER")), b"")
        except BrokenPipeError:
            pass
        with ended:
            self.is_done = True
            ended.notify_all()

    @property
    def was_answered(self) -> bool:
        return self.is_done and bool(self._answer)

    def result(self) -> OrderResult:
        if not self._answer:
            raise WorkerLost(f"ended with {self.process.wait()} before it answered")
        return msgspec.json.decode(self._answer.removeprefix(b"ANSWER"), type=OrderResult)

    def cancel(self) -> None:
        if not self.is_done:
            self.process.kill()


@dataclass(frozen=True)
class Subprocesses:
    """Runs orders in subprocesses."""

    name: str = "subprocesses"

    def start(self, asked):
        return _Started(asked.log, asked.workers or 1)


class _Started:
    def __init__(self, log: str, workers: int) -> None:
        self._log, self._workers, self._ended, self._last = log, workers, threading.Condition(), {}

    def capacity(self) -> Capacity:
        return Capacity(self._workers, isolated=True)

    def submit(self, order: FitOrder) -> Running:
        idle = [one.process for one in self._last.values() if one.was_answered and one.process.poll() is None]
        process = idle[0] if idle else started_process(order, self._log)
        self._last[process.pid] = Running(order, process, self._ended)
        return self._last[process.pid]

    def wait(self, handles, timeout=None):
        with self._ended:
            self._ended.wait_for(lambda: any(handle.is_done for handle in handles), timeout)
            return {handle for handle in handles if handle.is_done}

    def close(self) -> None:
        for running in self._last.values():
            running.process.kill()
            running.process.wait()


@hookimpl
def tlbench_executors():
    return [Subprocesses()]
