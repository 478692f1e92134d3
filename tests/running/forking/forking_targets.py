"""The target functions of test workers: a request is the name of a function here and its argument."""

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def act(request):
    name, _, argument = request.partition(b" ")
    return globals()[name.decode()](argument)


def echo(argument):
    return argument


def answer_size(argument):
    return b"x" * int(argument)


def size_of(argument):
    return str(len(argument)).encode()


def hang(argument):
    if argument:
        Path(argument.decode()).touch()
    while True:
        signal.pause()


def leave(argument):
    os._exit(int(argument))


def abort(argument):
    os.abort()


def segfault(argument):
    ctypes.string_at(0)


def signal_self(argument):
    os.kill(os.getpid(), int(argument))
    return hang(b"")


def raised(argument):
    errors = {
        error.__name__: error for error in (KeyboardInterrupt, GeneratorExit, SystemExit, MemoryError, ValueError)
    }
    raise errors[argument.decode()]("on purpose")


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def unspeakable(argument):
    raise Unspeakable


def nothing(argument):
    return None


def escape(argument):
    """Starts an orphan in its own session, and answers once it has written its pid."""
    path = Path(argument.decode())
    if not os.fork():
        os.setsid()
        if not os.fork():
            part = path.with_suffix(".part")
            part.write_text(str(os.getpid()))
            part.rename(path)
            hang(b"")
        os._exit(0)
    while not path.exists():
        time.sleep(0.001)
    return b""


def escape_and_leave(argument):
    escape(argument)
    os._exit(0)


def escape_and_hang(argument):
    escape(argument)
    hang(b"")


def escape_by_exec(argument):
    """Starts a program in its own session."""
    code = (
        f"import os, signal, pathlib; pathlib.Path({argument.decode()!r}).write_text(str(os.getpid())); signal.pause()"
    )
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not (Path(argument.decode()).exists() and Path(argument.decode()).read_text()):
        time.sleep(0.001)
    return b""


def start_program(argument):
    """Starts a program in the worker's process group, and answers with its pid."""
    return str(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid).encode()


def fork_and_return(argument):
    os.fork()
    return str(os.getpid()).encode()


def write_lines(argument):
    print("printed by a worker")
    os.write(1, b"written by a worker\n")
    subprocess.run(["sh", "-c", "echo told by a program; echo complained by a program >&2"], check=True)
    return b""


def write_to_every_handle(argument):
    """Writes bytes that are not a frame to all open descriptors, the worker's socket included."""
    for handle in range(3, 64):
        with suppress(OSError):
            os.write(handle, b"garbage " * 10)
    return hang(b"")


def close_handles(argument):
    os.closerange(3, 256)
    hang(b"")


def draw(argument):
    return str(random.random()).encode()


def about(argument):
    """Answers with the worker's signals, environment and descriptors."""
    handles = {}
    for handle in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            handles[int(handle)] = os.readlink(f"/proc/self/fd/{handle}")
    return json.dumps(
        {
            "pid": os.getpid(),
            "group": os.getpgid(0),
            "parent": os.getppid(),
            "path": sys.path,
            "argv": sys.argv,
            "environment": dict(os.environ),
            "name": Path("/proc/self/comm").read_text().strip(),
            "stdin": sys.stdin.read(),
            "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
            "terminate": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
            "hang_up": signal.getsignal(signal.SIGHUP) == signal.SIG_DFL,
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            "handles": handles,
            "modules": sorted(sys.modules),
            "sockets": sum("socket" in kind for kind in handles.values()),
        }
    ).encode()


def allocate(argument):
    kept = bytearray()
    while True:
        kept += b"x" * 2**20


def modules(argument):
    return " ".join(sys.modules).encode()
