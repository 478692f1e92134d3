"""The script that a new interpreter runs: it sets sys.path, then becomes a fork server or a worker.

It is run with `-P`, so that no file in the working directory is imported in place of the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence


def path_for(given: Sequence[str], own: Sequence[str]) -> list[str]:
    """Returns the driver's sys.path without the working directory, followed by this interpreter's other entries.

    Args:
        given: The driver's sys.path.
        own: This interpreter's sys.path. Because of `-P` it contains the working directory only if PYTHONPATH or a .pth
            file of a package names that directory, which is then kept.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:
        # The working directory was deleted, so nothing can be imported from it.
        return list(dict.fromkeys([*filter(None, given), *own]))
    kept = [entry for entry in given if entry in own or os.path.realpath(entry) != here]
    return list(dict.fromkeys([*kept, *own]))


if __name__ == "__main__":
    # The last argument, popped so that nothing that is imported sees it.
    message = json.loads(sys.argv.pop())
    sys.path[:] = path_for(message["path"], sys.path)
    if message["as"] == "server":
        from tlbench.running.forking.server import run_server

        run_server(message["handle"], message["driver"], message["preload"])
    else:
        from tlbench.running.forking.request_loop import run_spawned

        run_spawned(message["handle"], message["preload"])
