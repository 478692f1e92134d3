"""Registers the commands about results and running jobs, the group `plugin`, and `tlbench skill`."""

from __future__ import annotations

import typer

from tlbench.cli.batch_jobs import collect_command
from tlbench.cli.browsing import commands as browsing
from tlbench.cli.comparing import compare_command
from tlbench.cli.plugin import plugin_group
from tlbench.cli.progress import status_command
from tlbench.cli.recorded import eval_results_command, hpo_command, merge_command, recommend_command
from tlbench.cli.submissions import submit_command, verify_command
from tlbench.cli.winner import map_command


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(status_command.status)
    app.command()(collect_command.collect)
    app.command()(compare_command.compare)
    app.command()(merge_command.merge)
    app.command()(recommend_command.recommend)
    app.command("map")(map_command.map_features)
    app.command()(hpo_command.hpo)
    app.command("eval-results")(eval_results_command.eval_results)
    app.command()(submit_command.submit)
    app.command()(verify_command.verify)
    app.add_typer(plugin_group.app, name="plugin")
    app.command()(browsing.skill)
