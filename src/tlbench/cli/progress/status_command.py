"""The options of `tlbench status`."""

from __future__ import annotations

from typing import Annotated

import typer

from tlbench.cli import options as o


def status(
    json_: Annotated[bool, typer.Option("--json", help="Print the state as JSON.")] = False,
    out: o.Out = None,
) -> None:
    """Show what a run is doing, from another terminal.

    Counts the cells that are finished, failed, running and waiting, says why cells failed, and shows the work of each
    worker with its process and machine, the time left, where the log is, and the jobs in a cluster's queue.
    """
    from tlbench.cli.progress.status import print_status

    print_status(o.out_folder(out), json_)
