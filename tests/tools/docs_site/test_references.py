"""Nothing that a user can name is undocumented, and docs/reference says what the code does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tlbench.cli import app as cli
from tlbench.metrics import METRICS
from tlbench.results.columns import COLUMNS
from tlbench.system.stop_signals import exit_status
from tools.docs_site.references import __main__ as references
from tools.docs_site.references import api_page, column_page, command_page, exit_page, hook_page, suite_page
from tools.docs_site.references.docstrings import as_markdown, attribute_text

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"


def page(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def test_the_pages_say_what_the_code_does():
    assert references.outdated() == [], "make reference"


def test_an_outdated_page_is_found(tmp_path):
    for name in references.REFERENCES:
        (tmp_path / name).write_text(page(name), encoding="utf-8")
    (tmp_path / "hooks.md").write_text(page("hooks.md").replace("tlbench_tasks", "tlbench_task"), encoding="utf-8")
    (tmp_path / "metrics.md").unlink()
    assert references.outdated(tmp_path) == ["hooks.md", "metrics.md"]


def test_every_command_has_help_and_every_option_a_meaning():
    bare = [name for name, one in command_page.commands() if not (one.help or "").strip()]
    bare += [
        f"{name} {option.opts}"
        for name, one in command_page.commands()
        for option in command_page.options(one)
        if not option.help
    ]
    assert bare == []


def test_every_argument_has_a_meaning():
    bare = [
        f"{name} {one.name}"
        for name, command in command_page.commands()
        for one in command_page.arguments(command)
        if not (one.help or "").strip()
    ]
    assert bare == []


def test_every_command_and_option_is_on_the_page():
    text = page("commands.md")
    for name, one in command_page.commands():
        section = text.split(f"\n## tlbench {name}\n")[1].split("\n## ")[0]
        for option in command_page.options(one):
            assert all(f"`{word}`" in section for word in (*option.opts, *option.secondary_opts)), (name, option.opts)


@pytest.mark.parametrize(
    ("heading", "struct", "name"),
    [(heading, struct, name) for heading, struct in suite_page.tables().items() for name in struct.__struct_fields__],
)
def test_every_key_of_a_suite_has_a_meaning(heading, struct, name):
    assert suite_page.key_text(struct, name)
    assert re.search(rf"^\| `{name}` \|", page("suites.md").split(f"## {heading}\n")[1].split("\n## ")[0], re.MULTILINE)


def test_every_hook_has_a_docstring():
    assert [name for name, hook in hook_page.hooks().items() if not hook.__doc__] == []
    assert {*hook_page.hooks()} == {*re.findall(r"^## (tlbench_\w+)$", page("hooks.md"), re.MULTILINE)}


def test_every_metric_has_a_definition():
    assert [name for name, metric in METRICS.items() if not metric.citation] == []
    assert {*METRICS} == {*re.findall(r"^\| `(\w+)` \|", page("metrics.md"), re.MULTILINE)}


def test_every_column_has_a_meaning():
    assert [name for name, text in column_page.meanings().items() if not text] == []
    assert all(f"`{name}`" in page("columns.md") for name in (*COLUMNS, *column_page.shown()))


@pytest.mark.parametrize("module", api_page.MODULES)
def test_every_name_of_the_api_is_described(module):
    found = importlib.import_module(module)
    assert [name for name, value in api_page.names(found) if not api_page.text_of(found, name, value)] == []
    assert {*found.__all__} <= {*re.findall(r"^### (\w+)$", page("api.md"), re.MULTILINE)}


def test_every_exit_status_has_a_meaning():
    found = exit_page.statuses()
    assert {"0", "1", "2", str(exit_status(KeyboardInterrupt()))} <= found.keys()
    assert all(found.values())
    # The help says no number that the page lacks.
    assert {*re.findall(r"\b(\d{1,3}) [A-Za-z]", cli.EXIT_STATUS)} == found.keys()


def test_docstrings_become_markdown():
    text = as_markdown(
        "Does it.\n\n    run(\n        1)\n\n    again()\n\nArgs:\n    name: The name,\n        at length.\n"
    )
    assert text.split("\n\n")[0] == "Does it."
    assert "```python\nrun(\n    1)\n\nagain()\n```" in text
    assert "- `name`: The name,\n  at length." in text


def test_strings_below_attributes_are_found_in_base_classes():
    from tlbench import Metric

    class Mine(Metric):
        pass

    assert attribute_text(Mine, "name").startswith("The identifier")
    assert attribute_text(Mine, "nothing") == ""
