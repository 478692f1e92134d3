from __future__ import annotations

import textwrap

from tools.architecture.__main__ import main
from tools.architecture.functions import comment_density, duplicates, widest
from tools.architecture.imports import cycles, imports_of
from tools.architecture.names import shared_modules
from tools.architecture.report import findings
from tools.architecture.source import modules_of
from tools.architecture.trace import Event, cell_path, layers_of, warm_trial_files


def checkout(root, **files):
    """Writes files of the core, named by their path with `__` for `/`, and returns the modules."""
    for name, text in files.items():
        path = root / "src" / "tlbench" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return modules_of(root)


def test_an_import_cycle_through_an_import_in_a_function_is_found_and_one_for_types_is_not(tmp_path):
    modules = checkout(
        tmp_path,
        a__one="from tlbench.a import two\n",
        a__two="def f():\n    from tlbench.a.one import g\n",
        b__left="from ..b.right import x\n",
        b__right="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tlbench.b.left import y\n",
    )
    imports = imports_of(modules)
    assert [one.members for one in cycles(imports, {"module", "function"})] == [("tlbench.a.one", "tlbench.a.two")]
    assert len(cycles(imports, {"module", "function", "types"})) == 2
    assert cycles(imports, {"module"}) == []
    (line,) = findings(modules)
    assert "src/tlbench/a/two.py:2 imports tlbench.a.one" in line


def test_names_for_two_things_and_full_folders_are_found(tmp_path):
    many = {f"full__f{i}": "" for i in range(13)}
    modules = checkout(
        tmp_path,
        contracts__task="class Task: pass\nclass _Own: pass\n",
        testing__conformance__task="class Other: pass\nclass _Own: pass\n",
        a__same="class Task: pass\n",
        b__same="",
        **many,
    )
    found = findings(modules)
    assert [line.split(":")[0] for line in found] == [
        "src/tlbench/full",
        "class Task is defined 2 times",
        "module same exists 2 times",
    ]
    assert list(shared_modules(modules)[1]) == ["task"]
    (tmp_path / "src" / "tlbench" / "full" / "f0.py").rename(tmp_path / "src" / "tlbench" / "full" / "__init__.py")
    assert len(findings(modules_of(tmp_path))) == 2


def test_a_command_has_the_name_of_what_it_does_and_plugins_call_the_same_part_the_same(tmp_path):
    checkout(tmp_path, cli__plan="", planning__plan="")
    for plugin in ("one", "two"):
        folder = tmp_path / "plugins" / plugin / "src" / f"plugin_{plugin}"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "loading.py").write_text("")
    modules = modules_of(tmp_path)
    assert findings(modules) == []
    assert list(shared_modules(modules)[1]) == ["loading", "plan"]
    checkout(tmp_path, running__plan="", modeling__loading="")
    assert len(findings(modules_of(tmp_path))) == 2


def test_functions_are_alike_whatever_their_locals_are_called(tmp_path):
    body = """
    def {name}({x}, k: int = 1):
        '''{name} in words.'''
        {y} = {x}.field
        for i in {y}:
            if i:
                print(i)
        {y} = sorted({y})
        return {y}{attribute}
    """
    modules = checkout(
        tmp_path,
        a=body.format(name="f", x="a", y="b", attribute=".c"),
        b=body.format(name="g", x="q", y="r", attribute=".c"),
        c=body.format(name="h", x="q", y="r", attribute=".d"),
    )
    assert duplicates(modules) == [["src/tlbench/a.py:2 f", "src/tlbench/b.py:2 g"]]


def test_parameters_and_comments_are_counted(tmp_path):
    modules = checkout(
        tmp_path,
        a='''
        """Words # that are no comment."""

        class A:
            x = 1  # said
            """Of x."""

            # alone
            def f(self, a, *b, c=1, **d):
                return """
                two lines"""  # noqa: D1
        ''',
    )
    assert widest(modules) == [(4, "src/tlbench/a.py:9 A.f")]
    assert comment_density(modules) == (2, 5)


def event(file, function, kind="call", caller="", has=False):
    return Event(kind, f"src/tlbench/{file}", function, caller and f"src/tlbench/{caller}", has)


def test_the_second_trial_is_what_counts():
    def trial(file):
        return [
            event("running/executors/inline.py", "submit"),
            event(file, "fit"),
            Event("call", "plugins/tlbench-tracker/src/tlbench_tracker/plugin.py", "tlbench_fitted", "", True),
            event("running/cells/cell_run.py", "tell"),
            event("running/cells/cell_run.py", "tell", "return"),
        ]

    events = [*trial("cold.py"), event("between.py", "f"), *trial("warm.py"), event("after.py", "f")]
    assert warm_trial_files(events) == [
        "src/tlbench/running/cells/cell_run.py",
        "src/tlbench/running/executors/inline.py",
        "src/tlbench/warm.py",
    ]
    assert warm_trial_files(trial("cold.py")) is None


def test_a_climb_is_a_step_to_a_higher_layer(tmp_path):
    layers = '["cli | testing", "running", "planning | results"]'
    contract = f'[[tool.importlinter.contracts]]\ntype = "layers"\nlayers = {layers}\n'
    (tmp_path / "pyproject.toml").write_text(contract)
    layers = layers_of(tmp_path)
    assert layers == {"tlbench.cli": 2, "tlbench.running": 1, "tlbench.planning": 0, "tlbench.results": 0}
    path = cell_path(
        [
            event("planning/plan.py", "plan", "return", has=True),
            event("running/run.py", "run", caller="cli/run.py", has=True),
            event("running/run.py", "unseen"),
            event("testing/toys.py", "fit", has=True),
            event("results/index.py", "commit", caller="running/run.py", has=True),
            event("cli/live.py", "add", caller="results/index.py", has=True),
        ],
        layers,
    )
    assert len(path.packages) == 5
    assert path.climbs == (("tlbench.planning", "tlbench.running"), ("tlbench.results", "tlbench.cli"))
    assert path.calls_up == (("tlbench.results", "tlbench.cli"),)


def test_a_table_is_printed_where_nothing_can_be_run_and_the_check_fails(tmp_path, capsys):
    (tmp_path / "pyproject.toml").write_text("")
    checkout(tmp_path, a__same="", b__same="")
    assert main(["--checkout", str(tmp_path)]) == 0
    assert "| files that one warm trial touches | not measured" in capsys.readouterr().out
    assert main(["--checkout", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.startswith("module same exists 2 times: rename all but one: src/tlbench/a/same")
