"""The plan, the memory and the device that a user asks for, by options of a command or arguments of a function."""

from __future__ import annotations

import re
from collections.abc import Callable

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import UsageError
from tlbench.modeling.disk import cache_settings
from tlbench.planning.baselines import baseline_blocks
from tlbench.planning.capacity import Room
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection, select_blocks
from tlbench.planning.settings import apply_settings
from tlbench.planning.suite import Suite, SuiteBlock, read_suite
from tlbench.system.machine import gpu_memory_bytes, gpus, memory_bytes


def requested_plan(
    catalog: Catalog,
    suite: str | None,
    selection: Selection,
    room: Room | None = None,
    fetch: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Returns the plan of a suite as changed by a selection, or, without a suite, of the names in the selection.

    Without a suite, baselines are added.

    Args:
        catalog: The installed plugins.
        suite: Name or path of a suite; None for none.
        selection: The names, the fields of the protocol and the settings that are applied.
        room: The memory in which a fit must find room; None for no limit.
        fetch: Whether weights that are not on this machine are downloaded.
        note: Called with a sentence on what each setting of the selection sets.

    Raises:
        UsageError: A name is unknown, the suite is invalid, or neither a suite nor a task with a strategy is given.
    """
    if suite is None:
        if not selection.tasks or not selection.strategies:
            given, missing = ("--task", "--strategy") if selection.tasks else ("--strategy", "--task")
            if selection.tasks or selection.strategies:
                raise UsageError(f"nothing to run: {given} is given without {missing}; give it too, or --suite NAME")
            raise UsageError("nothing to run: give --suite NAME, or --task and --strategy (and --backbone)")
        if selection.like is not None:
            raise UsageError(f"--like {selection.like}: without --suite there is no protocol to take over")
        # Without a suite, there is nothing that +NAME could be added to: it means NAME.
        axes = (selection.tasks, selection.strategies, selection.backbones)
        tasks, strategies, backbones = (tuple(name.removeprefix("+") for name in axis) for axis in axes)
        blocks = [SuiteBlock(tasks=tasks, strategies=strategies, backbones=backbones)]
        blocks += baseline_blocks(catalog, tasks) if selection.baselines else ()
        content = Suite(tuple(blocks), name="command line")
        selection = Selection(protocol=selection.protocol, settings=selection.settings)
    else:
        content = read_suite(catalog.suite(suite))
    if selection.settings:
        chosen = select_blocks(content, catalog, selection)
        # A name may set a different parameter in each strategy, so print what was set.
        for text in apply_settings(selection.settings, content, chosen, selection.protocol, catalog).notes:
            note(text)
    return plan(content, catalog, selection, room, fetch=fetch)


def memory_room(size: str | None, device: str = "auto", devices: int = 1) -> Room | None:
    """Returns the memory that a worker may use (by default all memory of the machine or of its GPU), or None.

    None means no limit, because the size of the memory is unknown.

    Raises:
        UsageError: `size` is not a size such as 24GiB.
    """
    gpu = device != "cpu" and gpus() > 0
    if size is not None:
        count: int | None = cache_settings.parse_size(size, "--max-memory")
    else:
        count = gpu_memory_bytes(device) if gpu else memory_bytes()
    # Also None where the memory cannot be measured: nothing is skipped by a guess.
    return Room(count, not gpu, devices) if count else None


def check_device(device: str, source: str = "--device") -> None:
    """Checks the form of a device's name; only the executor, which may run elsewhere, checks that the device exists.

    Raises:
        UsageError: `device` is not the name of a device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", device):
        raise UsageError(f"{source} {device}: not a device; give auto, cpu, cuda or cuda:N")
