"""Why each check of modules, commands, renderers, policies and observers matters, and how to fix what it finds."""

from __future__ import annotations

LIGHT = (
    "`tlbench list`, `plan` and the completion of the shell import every plugin; torch alone takes seconds.",
    "Import heavy libraries inside the functions that use them, and types under `if TYPE_CHECKING:`.",
)
"""What holds of `test_import_is_light`, whatever is checked."""

PLUGIN: dict[str, tuple[str, str]] = {
    "test_api_version": (
        "A plugin for another version is refused in one line instead of failing somewhere later.",
        "Write `tlbench_api = (1, 0)` into the plugin's module, or require tlbench>=A,<B in pyproject.toml.",
    ),
    "test_every_object_can_be_used": (
        "An object that is refused is missing from every list, with a line on stderr only.",
        "Mend what the line says; `tlbench plugin doctor --traceback` shows where it comes from.",
    ),
    "test_hooks_list_the_same_names_again": (
        "Worker processes call the hook again, and look objects up by name.",
        "Return a new list at each call, and depend on nothing that changes.",
    ),
    "test_schemes": (
        "All plugins are asked for each name with a scheme; one that answers for others breaks them.",
        "Return None unless kind and scheme are yours.",
    ),
    "test_suggestions": (
        "Suggestions are shown where somebody has mistyped a name.",
        "Return a list of texts, empty if there is nothing to suggest.",
    ),
}

COMMAND: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed after `tlbench`.",
        "Use a key in kebab-case in `tlbench_commands`, and none that tlbench has itself: those cannot be replaced.",
    ),
    "test_help": (
        "`tlbench COMMAND --help` is made of the docstring and the parameters.",
        "Write a docstring, and annotate parameters with types that typer knows.",
    ),
}

RENDERER: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed after --format.",
        "Set `name` to kebab-case.",
    ),
    "test_shows_every_score_and_name": (
        "A row that is left out makes the best of the others the winner.",
        "Write every line of every section; override `shown` in the check if ordinary names are escaped.",
    ),
    "test_the_same_page_gives_the_same_text": (
        "Committed tables must not change where the results have not.",
        "Use no clock, no random ids, and no order of a set.",
    ),
    "test_an_empty_page": (
        "A leaderboard is shown before the first cell is finished, too.",
        "Handle a page without sections.",
    ),
    "test_chosen_columns": (
        "Readers choose columns with `--columns`, and others are then absent from `line.values`.",
        "Go through `page.columns` instead of naming columns.",
    ),
    "test_hostile_names": (
        "Names come from plugins and files of others: they must not become links, formulas or scripts.",
        "Escape every text with the functions of `tlbench.results.render.escaping`, and set `medium` in the check.",
    ),
    "test_it_is_no_single_text": (
        "A format of several files needs a folder, which the user has to name.",
        "Override `files` and leave `render` as it is.",
    ),
}

POLICY: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed after `tlbench find --policy`.",
        "Set `name` to kebab-case.",
    ),
    "test_every_search_ends": (
        "A policy that proposes finished fits again never ends, and one that proposes none finds nothing.",
        "Ask `situation.is_new(proposal)` and `situation.fits(proposal)`, and return None when nothing is left.",
    ),
    "test_proposals_fit_into_the_budget": (
        "A fit that the deadline stops is lost with its time.",
        "Ask `situation.fits(proposal)` before each proposal.",
    ),
    "test_expected_costs_may_be_wrong": (
        "Costs are guessed before the first fit of a kind.",
        "Divide by no cost, and decide from `situation` anew at each call.",
    ),
    "test_the_same_situation_gives_the_same_proposal": (
        "A search that was killed goes on by asking again.",
        "Keep nothing between calls, and draw from random.Random(situation.seed).",
    ),
    "test_at_most_one_candidate": (
        "People search with one backbone and one strategy, too.",
        "Handle empty and single lists of candidates.",
    ),
    "test_fits_that_give_nothing": (
        "Fits fail and diverge in every real search.",
        "Handle `Outcome.score` that is None and outcomes that are constant.",
    ),
}

OBSERVER: dict[str, tuple[str, str]] = {
    "test_takes_every_fit": (
        "An observer that raises loses what it should have tracked.",
        "Handle fits without score, params or history, and return nothing; `TrackedRun.of_fit` does.",
    ),
    "test_takes_every_record": (
        "Failed cells are recorded too.",
        "Handle records without scores, and return nothing; `TrackedRun.of_record` does.",
    ),
    "test_observes_something": (
        "Without one of the hooks nothing is tracked.",
        "Mark a function `tlbench_fitted` or `tlbench_recorded` with @hookimpl.",
    ),
}
