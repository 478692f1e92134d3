"""Runs each order in a subprocess of its own, which Python's fork server forks after it has imported torch."""

import multiprocessing
from dataclasses import dataclass
from multiprocessing.connection import wait

import msgspec

from tlbench import Capacity, FitOrder, OrderResult, WorkerLost


@dataclass(frozen=True)
class ForkedOrders:
    """One subprocess for each order."""

    name: str = "forked-orders"

    def start(self, request):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["forked_orders.imports"])
        return Orders(context, request.workers or min(request.useful, 2))


class Orders:
    def __init__(self, context, workers):
        self.context, self.workers, self.running = context, workers, []

    def capacity(self):
        return Capacity(workers=self.workers, isolated=True)

    def submit(self, order):
        handle = OneOrder(self.context, order)
        self.running = [one for one in self.running if one.process.is_alive()] + [handle]
        return handle

    def wait(self, handles, timeout=None):
        pipes = {one.pipe: one for one in handles}
        done = {one for one in handles if one.answer is not None}
        return done or {pipes[pipe] for pipe in wait(list(pipes), timeout)}

    def close(self):
        for one in self.running:
            one.process.kill()
            one.process.join()


class OneOrder:
    def __init__(self, context, order):
        self.answer = None
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=work, args=(theirs, msgspec.json.encode(order)), daemon=True)
        self.process.start()
        # Only the subprocess may hold the other end, so that its death is the end of the pipe.
        theirs.close()

    def result(self):
        if self.answer is None:
            try:
                self.answer = self.pipe.recv_bytes()
            except (EOFError, OSError):
                self.answer = b""
        if not self.answer:
            self.process.join()
            raise WorkerLost(f"ended with exit code {self.process.exitcode}")
        return msgspec.json.decode(self.answer, type=OrderResult)

    def cancel(self):
        self.process.kill()


def work(pipe, order):
    """Carries out an order in the subprocess."""
    from tlbench import carry_out

    pipe.send_bytes(msgspec.json.encode(carry_out(msgspec.json.decode(order, type=FitOrder), isolated=True)))
