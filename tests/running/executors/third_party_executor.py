"""A third-party executor: one subprocess per order, written with tlbench's public API alone."""

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
order = msgspec.json.decode(sys.stdin.buffer.read(), type=FitOrder)
sys.stdout.buffer.write(b"ANSWER" + msgspec.json.encode(carry_out(order, isolated=True)))
"""


class Running:
    """The handle of an order that a subprocess carries out."""

    def __init__(self, order: FitOrder, log: str, ended: threading.Condition) -> None:
        environment = {**os.environ, **order.environment, "OMP_NUM_THREADS": str(order.threads)}
        with open(log, "ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=environment,
                start_new_session=True,
            )
        self.is_done = False
        threading.Thread(target=self._follow, args=(msgspec.json.encode(order), ended), daemon=True).start()

    def _follow(self, request: bytes, ended: threading.Condition) -> None:
        self._output = self._process.communicate(request)[0]
        with ended:
            self.is_done = True
            ended.notify_all()

    def result(self) -> OrderResult:
        _, found, answer = self._output.partition(b"ANSWER")
        if not found:
            raise WorkerLost(f"ended with {self._process.returncode} before it answered")
        return msgspec.json.decode(answer, type=OrderResult)

    def cancel(self) -> None:
        self._process.kill()


@dataclass(frozen=True)
class Subprocesses:
    """Runs each order in a subprocess."""

    name: str = "subprocesses"

    def start(self, asked):
        return _Started(asked.log, asked.workers or 1)


class _Started:
    def __init__(self, log: str, workers: int) -> None:
        self._log, self._workers, self._ended, self._all = log, workers, threading.Condition(), []

    def capacity(self) -> Capacity:
        return Capacity(self._workers, isolated=True)

    def submit(self, order: FitOrder) -> Running:
        self._all.append(Running(order, self._log, self._ended))
        return self._all[-1]

    def wait(self, handles, timeout=None):
        with self._ended:
            self._ended.wait_for(lambda: any(handle.is_done for handle in handles), timeout)
            return {handle for handle in handles if handle.is_done}

    def close(self) -> None:
        for running in self._all:
            running.cancel()


@hookimpl
def tlbench_executors():
    return [Subprocesses()]
