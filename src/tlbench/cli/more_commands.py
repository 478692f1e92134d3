"""Commands of plugins, those that compare, unite and hand on recorded results, and the page for assistants."""

from __future__ import annotations

import typer

from tlbench.cli.browsing import commands as browsing
from tlbench.cli.comparing import compare_command
from tlbench.cli.plugin import plugin_group
from tlbench.cli.recorded import eval_results_command, hpo_command, merge_command, recommend_command


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(compare_command.compare)
    app.command()(merge_command.merge)
    app.command()(recommend_command.recommend)
    app.command()(hpo_command.hpo)
    app.command("eval-results")(eval_results_command.eval_results)
    app.add_typer(plugin_group.app, name="plugin")
    app.command()(browsing.skill)
