"""The commands of `tlbench plugin` and their options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tlbench.cli.shell.command_group import CommandGroup

if TYPE_CHECKING:
    from tlbench.cli.plugin.plugin_facts import PluginFacts

app = typer.Typer(
    cls=CommandGroup,
    help="Begin and check plugins, and say what is wrong with them.",
    rich_markup_mode=None,
)

Kind = Literal["backbone", "task", "strategy", "metric", "output", "executor", "renderer", "policy", "suite"]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON (docs/json.md).")]


@app.command()
def new(
    kind: Annotated[Kind, typer.Argument(help="What the plugin brings first.", show_choices=True)],
    name: Annotated[str, typer.Argument(help="Its name in kebab-case, such as norm-only.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="The new folder; tlbench-NAME by default.")
    ] = None,
    author: Annotated[str, typer.Option(help="Who the licence and the package name; git's user by default.")] = "",
    template: Annotated[
        str, typer.Option(metavar="SOURCE", help="Another template: a folder or a git repository.")
    ] = "",
    json_: JsonOption = False,
) -> None:
    """Begin a plugin: a package with one working object.

    It has a conformance test, CI, a readme and a licence, and passes at once.
    """
    from tlbench.cli.plugin.new_plugin import create

    made = create(kind, name, to, author, template)
    if json_:
        print(json.dumps(made.as_json(), indent=1))
    else:
        made.show()


@app.command("list")
def list_(ctx: typer.Context, json_: JsonOption = False) -> None:
    """List the installed plugins.

    Shows versions, what each brings, how long it takes to load and whether it works.
    """
    from tlbench.cli.plugin.plugin_texts import plugins_json, print_plugins

    facts = _facts(ctx, None)
    if json_:
        print(plugins_json(facts))
    else:
        print_plugins(facts)


@app.command()
def doctor(
    ctx: typer.Context,
    distribution: Annotated[str | None, typer.Argument(metavar="[DIST]", help="The only plugin to look at.")] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where each exception was raised.")] = False,
    json_: JsonOption = False,
) -> None:
    """Say which plugins are broken, why, and what to do.

    The exit status is 1 if one is.
    """
    from tlbench.cli.plugin.plugin_texts import plugins_json, print_problems

    facts = _facts(ctx, distribution)
    if json_:
        print(plugins_json(facts))
    else:
        print_problems(facts, traceback, distribution is None)
    raise typer.Exit(1 if any(one.is_broken for one in facts) else 0)


@app.command()
def check(
    distribution: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DIST[/NAME]]...", help="Plugins, or single objects; by default this folder's."),
    ] = None,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the tracebacks of what failed.")] = False,
    json_: JsonOption = False,
) -> None:
    """Run the conformance checks of plugins.

    Prints pass, skip or fail for each check, and of those that failed what is wrong, why it matters, how to mend it.
    The exit status is 1 if one fails.
    """
    from tlbench.cli.plugin.check_texts import check_plugins

    raise typer.Exit(0 if check_plugins(distribution or (), json_, traceback) else 1)


def _facts(ctx: typer.Context, distribution: str | None) -> list[PluginFacts]:
    from tlbench.catalog.catalog import Catalog
    from tlbench.cli.plugin.plugin_facts import facts_of

    return facts_of(Catalog.discover(), own_commands(ctx), distribution)


def own_commands(ctx: typer.Context) -> set[str]:
    """Returns the names of tlbench's own commands, without those of plugins."""
    return {*getattr(ctx.find_root().command, "commands", ())}
