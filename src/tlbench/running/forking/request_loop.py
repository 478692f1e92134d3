"""The worker process: answers requests until the driver closes the connection."""

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

from tlbench.contracts.untrusted.redaction import RedactedStream
from tlbench.running.forking import frames
from tlbench.running.forking import linux as system


def serve(sock: socket) -> NoReturn:
    """Answers requests until the socket is closed, then ends this process without running `atexit` handlers.

    In a forked process, these handlers were registered by modules of the fork server, and running them could affect
    other workers.
    """
    status, pid = 1, os.getpid()
    try:
        _answer_requests(sock, pid)
        status = 0
    except BaseException as error:
        # In a child that the target forked, the socket still belongs to its parent.
        _report(error, sock if os.getpid() == pid else None)
    finally:
        # `_exit` does not flush them.
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):
                stream.flush()
        os._exit(status)


def preload(modules: Sequence[str]) -> dict[str, str]:
    """Imports modules and returns the errors of those that cannot be imported, by module name; logs the errors too."""
    failed = {}
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:
            failed[module] = _error_line(error)
            traceback.print_exc()
    return failed


def prepare_streams() -> None:
    """Makes stdout and stderr flush after each line, without secrets, and has the stack printed at a crash."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        with suppress(AttributeError):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
            if not isinstance(stream, RedactedStream):
                setattr(sys, name, RedactedStream(stream))
    faulthandler.enable()


def run_spawned(handle: int, modules: Sequence[str]) -> NoReturn:
    """Makes this process, which was not forked, a worker."""
    # Ctrl-C is for the driver, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As in a fork server: a driver that was started with `nohup` ignores them, and children inherit that.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    prepare_streams()
    # Standard input is a pipe from the driver, which closes when the driver dies. It is moved away, so that a target
    # that reads from standard input gets nothing.
    driver_pipe = os.dup(0)
    if sys.platform == "win32":
        from socket import fromshare

        sock = fromshare(os.read(driver_pipe, handle))
    else:
        sock = socket(fileno=handle)
        sock.set_inheritable(False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=_end_with_driver, args=(driver_pipe,), name="driver-watch", daemon=True).start()
    preload(modules)
    serve(sock)


def _answer_requests(sock: socket, pid: int) -> None:
    frame = frames.read(sock)
    if frame is None:
        return
    settings = json.loads(frame[1])
    os.environ.update(settings["environment"])
    if settings["name"]:
        system.name_process(settings["name"])
    module, _, name = settings["target"].partition(":")
    target: Callable[[bytes], object] = getattr(importlib.import_module(module), name)
    # The requests follow, until the driver closes its end.
    while (frame := frames.read(sock)) is not None:
        answer = target(frame[1])
        if os.getpid() != pid:
            raise RuntimeError(f"{settings['target']} forked, and the child process returned from it")
        if not isinstance(answer, bytes | bytearray | memoryview):
            raise TypeError(f"{settings['target']} returned {type(answer).__name__}, not bytes")
        frames.write(sock, frames.ANSWER, answer)


def _report(error: BaseException, sock: socket | None) -> None:
    """Writes the error to the log and sends it to the driver, ignoring errors of these two steps."""
    with suppress(BaseException):
        traceback.print_exception(error)
    if sock is not None:
        with suppress(BaseException):
            frames.write(sock, frames.RAISED, _error_line(error).encode(errors="replace"))


def _error_line(error: BaseException) -> str:
    """Returns the type and message of an error on one short line."""
    try:
        message = " ".join(str(error).split())[:300]
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _end_with_driver(driver_pipe: int) -> None:
    """Kills this process and its group once the driver's end of the pipe is closed."""
    try:
        while os.read(driver_pipe, 1):
            pass
    except OSError:
        # The target closed a descriptor that is not its own. The driver notices its socket, which is closed as well.
        return
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
