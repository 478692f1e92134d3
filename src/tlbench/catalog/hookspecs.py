"""The hooks that a plugin can implement.

A plugin is a module whose functions are marked with `hookimpl` and named by an entry point of the group `tlbench`:

    # my_package/plugin.py
    from tlbench import hookimpl
    from my_package.parity import Parity

    @hookimpl
    def tlbench_tasks():
        return [Parity()]

    # pyproject.toml
    [project.entry-points.tlbench]
    my-plugin = "my_package.plugin"

A module that is not installed can be loaded with the environment variable `TLBENCH_PLUGINS=my_package.plugin`.

Guarantees:

- A hook that raises, or an object that is invalid, disables nothing but itself; `tlbench plugin doctor` names it.
- A plugin may implement any number of hooks. The order in which plugins are called is not specified.
- A hook that lists objects is called when a command starts and again in worker processes, where it must return objects
  of the same names. So it must be fast, and must not import torch or read weights.
- An object of a name that another distribution also uses is available as `distribution/name`.

tlbench's own executors, renderers and policies are registered by these hooks too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pluggy

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import ExecutorPlugin, FitOrder
from tlbench.contracts.metric import Metric
from tlbench.contracts.policies.policy import Policy
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.renderer import Renderer
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task

PROJECT = "tlbench"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# The functions below are signatures and are never called: they raise, so that calling one by mistake does not pass.


@hookspec
def tlbench_backbones() -> Iterable[Backbone]:
    """Called when the catalog is built. Returns backbone objects, each with a `name` and a `modality`.

    For an open-ended family, such as all models of a hub, implement `tlbench_resolve` instead.
    """
    raise NotImplementedError


@hookspec
def tlbench_tasks() -> Iterable[Task]:
    """Called when the catalog is built. Returns task objects, each with `name`, `modality`, `output` and `metrics`."""
    raise NotImplementedError


@hookspec
def tlbench_strategies() -> Iterable[Strategy]:
    """Called when the catalog is built. Returns strategy objects, each with a `name`."""
    raise NotImplementedError


@hookspec
def tlbench_suites() -> Iterable[Path]:
    """Called when the catalog is built. Returns paths of suite files (TOML).

    The stem of the file is the name for `--suite`. The files are read only when a suite is used.
    """
    raise NotImplementedError


@hookspec
def tlbench_metrics() -> Iterable[Metric]:
    """Called when the catalog is built. Returns metric objects, which tasks then refer to by `name`.

    A metric with the name of one of tlbench's own is refused.
    """
    raise NotImplementedError


@hookspec
def tlbench_renderers() -> Iterable[Renderer]:
    """Called when the catalog is built. Returns renderer objects; `name` is the value for `--format`."""
    raise NotImplementedError


@hookspec
def tlbench_policies() -> Iterable[Policy]:
    """Called when the catalog is built. Returns policy objects; `name` is the value for `tlbench find --policy`.

    `benchmarks/find` replays the policies of all plugins on stored fits.
    """
    raise NotImplementedError


@hookspec
def tlbench_executors() -> Iterable[ExecutorPlugin]:
    """Called when the catalog is built. Returns objects with a `name` and `start`; no process may be started here."""
    raise NotImplementedError


@hookspec(firstresult=True)
def tlbench_resolve(kind: str, name: str) -> Backbone | Task | Strategy | None:
    """Called for each name with a scheme, such as "hf:org/name@revision", that a suite or the command line uses.

    Return a new object of this kind, or None if another plugin handles the scheme. The first result that is not None
    is used. The object's own `name` becomes part of the cell's identity, so it may pin what the user left open, such as
    a revision. A file or folder is pinned as `scheme:<absolute path>@<hex digest of the content>`; ids and records then
    have its name and digest without the folder, and this hook is called with the path again.

    Raise `UsageError` for a name of your scheme that is invalid.

    Args:
        kind: "backbone", "task" or "strategy".
        name: The name without its parameters in brackets.
    """
    raise NotImplementedError


@hookspec
def tlbench_schemes() -> Mapping[str, str]:
    """Called by `tlbench list`. Returns the forms of the names that `tlbench_resolve` accepts, each with its kind.

    Example: `{"hf:<org/name|folder>[@revision]": "backbone"}`.
    """
    raise NotImplementedError


@hookspec
def tlbench_suggest(kind: str, name: str) -> Iterable[str]:
    """Called for a name that no plugin has. Returns names with a scheme of yours that the user may have meant.

    For the backbone "resnet18", for example, `["timm:resnet18"]`. The names appear in a message; nothing is loaded.

    Args:
        kind: "backbone", "task" or "strategy".
        name: The unknown name, without parameters.
    """
    raise NotImplementedError


@hookspec
def tlbench_commands() -> Mapping[str, Callable[..., None]]:
    """Called for `tlbench --help` and for a command that is not tlbench's own. Returns functions by command name.

    typer reads arguments and options from the function's parameters, and the help text from its docstring. A mistake of
    the user is a `UsageError`. A plugin cannot replace a command of tlbench.
    """
    raise NotImplementedError


@hookspec
def tlbench_fitted(order: FitOrder, result: FitResult) -> None:
    """Called in the process of `tlbench run` after the result of each fit is stored: trials, and final fits.

    For trackers and dashboards: it must return quickly, since no new fit starts meanwhile. It is not called for a
    result that the search repeats or that another cell had already. Returns nothing. An exception is logged, and
    affects neither the run nor other plugins.

    Args:
        order: The order that the fit belongs to, with its cell; `order.purpose` is "search" for a trial and "final" for
            a fit of the winner.
        result: Its result, with params, seed, validation score, times and learning curve. It knows no test score.
    """
    raise NotImplementedError


@hookspec
def tlbench_recorded(cell: Cell, record: Record) -> None:
    """Called in the process of `tlbench run` after each record is stored, for trackers and dashboards.

    Returns nothing. An exception is logged, and affects neither the run nor other plugins.

    Args:
        cell: The cell that has ended.
        record: Its result; `record.status` is "ok" or says how it failed.
    """
    raise NotImplementedError
