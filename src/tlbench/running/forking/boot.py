"""What a fresh interpreter runs, as a script: sets sys.path, then becomes a fork server or a worker.

It is run with `-P`, so that nothing that lies in the working directory is imported in place of the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence


def path_for(given: Sequence[str], own: Sequence[str]) -> list[str]:
    """Returns the driver's sys.path without the working directory, and behind it what this interpreter has beside that.

    Args:
        given: The driver's.
        own: What `-P` left, so that a working directory in it was named: by PYTHONPATH, or by a package's .pth file.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:
        # The working directory was deleted, and so can't be imported from.
        return list(dict.fromkeys([*filter(None, given), *own]))
    kept = [entry for entry in given if entry in own or os.path.realpath(entry) != here]
    return list(dict.fromkeys([*kept, *own]))


if __name__ == "__main__":
    told = json.loads(sys.argv.pop())
    sys.path[:] = path_for(told["path"], sys.path)
    if told["as"] == "server":
        from tlbench.running.forking.server import run_server

        run_server(told["handle"], told["driver"], told["preload"])
    else:
        from tlbench.running.forking.serve import run_spawned

        run_spawned(told["handle"], told["preload"])
