"""The worker's side: requests in, answers out, until the driver has no more."""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import socket
from typing import NoReturn

from tlbench.running.forking import frames
from tlbench.running.forking import linux as system


def serve(sock: socket) -> NoReturn:
    """Answers requests until the socket's end, then ends this process; nothing registered with `atexit` is run.

    What `atexit` holds in a forked process was registered by modules that its siblings go on using.
    """
    status, pid = 1, os.getpid()
    try:
        _answer_requests(sock, pid)
        status = 0
    except BaseException as error:
        _report(error, sock if os.getpid() == pid else None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):
                stream.flush()
        os._exit(status)


def preload(modules: Sequence[str]) -> dict[str, str]:
    """Imports modules and returns what was raised by those that cannot be: whoever needs them will say so again."""
    failed = {}
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:
            failed[module] = _named(error)
            traceback.print_exc()
    return failed


def prepare_streams() -> None:
    """Has lines printed when they are complete, and the stack of a process that crashes."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable()


def run_spawned(handle: int, modules: Sequence[str]) -> NoReturn:
    """Makes this process a worker that was not forked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As in a fork server: of a driver that `nohup` started they are ignored.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    prepare_streams()
    lifeline = os.dup(0)
    if sys.platform == "win32":
        from socket import fromshare

        sock = fromshare(os.read(lifeline, handle))
    else:
        sock = socket(fileno=handle)
        sock.set_inheritable(False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_end_with_driver, args=(lifeline,), name="driver-watch", daemon=True).start()
    preload(modules)
    serve(sock)


def _answer_requests(sock: socket, pid: int) -> None:
    frame = frames.read(sock)
    if frame is None:
        return
    told = json.loads(frame[1])
    os.environ.update(told["environment"])
    if told["name"]:
        system.name_process(told["name"])
    module, _, name = told["target"].partition(":")
    target: Callable[[bytes], object] = getattr(importlib.import_module(module), name)
    while (frame := frames.read(sock)) is not None:
        answer = target(frame[1])
        if os.getpid() != pid:
            raise RuntimeError(f"{told['target']} forked, and the child came back from it")
        if not isinstance(answer, bytes | bytearray | memoryview):
            raise TypeError(f"{told['target']} returned {type(answer).__name__}, not bytes")
        frames.write(sock, frames.ANSWER, answer)


def _report(error: BaseException, sock: socket | None) -> None:
    """Writes what was raised to the log, and names it to the driver; neither may raise in turn."""
    with suppress(BaseException):
        traceback.print_exception(error)
    if sock is not None:
        with suppress(BaseException):
            frames.write(sock, frames.RAISED, _named(error).encode(errors="replace"))


def _named(error: BaseException) -> str:
    """Returns the type and what it says, on one short line."""
    try:
        message = " ".join(str(error).split())[:300]
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _end_with_driver(lifeline: int) -> None:
    """Kills this process and its group once the other end of the lifeline is closed."""
    try:
        while os.read(lifeline, 1):
            pass
    except OSError:
        # A target has closed what is not its own; the driver will see that.
        return
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
