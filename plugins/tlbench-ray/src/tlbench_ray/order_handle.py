"""The handle of an order on the cluster: the first outcome counts, and files are taken over with it alone."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tlbench import FitOrder, OrderResult, WorkerLost
from tlbench.running.executors import order_files
from tlbench_ray.node_actors import NodeAnswer

CANCEL_SECONDS = 15.0
"""Time in seconds that a machine has to confirm that it has killed a worker; then the machine itself is given up."""


class OrderHandle:
    """One attempt at an order."""

    def __init__(self, order: FitOrder, token: str, on_cancel: Callable[[OrderHandle], None]) -> None:
        self.order, self.token = order, token
        self._on_cancel = on_cancel
        self.outcome: OrderResult | WorkerLost | None = None
        self.deadline: float | None = None
        """Time (of `time.monotonic`) at which a cancelled order is given up with its machine."""
        self._files: dict[str, bytes] | None = None
        self._is_accepted = False

    def result(self) -> OrderResult:
        """Returns the result, and puts the files of the worker into the folder of the order."""
        assert self.outcome is not None, "result() was called before wait() returned the handle"
        if isinstance(self.outcome, WorkerLost):
            raise self.outcome
        if not self._is_accepted:
            self._is_accepted = True
            try:
                self._accept()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                    raise
                self.outcome = OrderResult(error=f"{self.order.folder}: {error.strerror}", ends_run=True)
            finally:
                self._files = None
        return self.outcome

    def cancel(self) -> None:
        """Has the worker killed on its machine."""
        if self.outcome is None and self.deadline is None:
            self.deadline = time.monotonic() + CANCEL_SECONDS
            self._on_cancel(self)

    def answer(self, answer: NodeAnswer) -> bool:
        """Takes in what a machine has answered; returns False if the attempt was given up before."""
        if self.outcome is not None:
            return False
        if answer.how:
            self.lose(WorkerLost(answer.how, answer.oom))
            return True
        try:
            self.outcome = msgspec.json.decode(answer.result, type=OrderResult)
            self._files = answer.files
        except msgspec.DecodeError as error:
            self.lose(WorkerLost(f"answered what is no answer: {error}"))
        return True

    def lose(self, lost: WorkerLost) -> None:
        """Gives the attempt up, unless it has ended: a later answer to it is refused."""
        if self.outcome is None:
            self.outcome = lost
            # Without its folder a worker that still runs, on a machine that does not answer, cannot write either.
            self.clear()

    def clear(self) -> None:
        """Removes the worker's own folder, if it is beside the results."""
        if self.order.folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _folder(self) -> Path:
        return order_files.worker_folder(self.order, self.token)

    def _accept(self) -> None:
        if not self.order.folder:
            return
        try:
            if self._files is not None:
                order_files.write_files(self._folder, self._files)
            order_files.accept_files(self.order, self._folder)
        finally:
            self.clear()
