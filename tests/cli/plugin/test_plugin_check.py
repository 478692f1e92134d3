"""`tlbench plugin check` prints pass, skip and fail, and what to mend."""

import json

import pytest

from tlbench.cli.app import _main

FAULTY = '''
from tlbench import Classes, Example, Examples, Task, hookimpl

class Gone(Task):
    name, modality, output, metrics = "gone", "text", Classes(("no", "yes")), ("accuracy",)

    def missing(self):
        return "gone: its file is not here"

class Leaky(Gone):
    """Train and test are the same."""

    name = "leaky"

    def missing(self):
        return None

    def split(self, name):
        if name not in ("train", "test"):
            return None
        return Examples(Example(f"{name}-{n}", (f"text {n}",), n % 2) for n in range(6))

class Crashing(Gone):
    name = "crashing"

    def missing(self):
        return None

    def split(self, name):
        import os
        os._exit(7)

@hookimpl
def tlbench_tasks():
    return [Gone(), Leaky(), Crashing()]
'''


@pytest.fixture(autouse=True)
def faulty(tmp_path, monkeypatch):
    (tmp_path / "faulty_plugin.py").write_text(FAULTY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "faulty_plugin")
    monkeypatch.chdir(tmp_path)


def test_a_check_that_fails_says_what_is_wrong_why_and_how_to_mend_it(capsys):
    assert _main(["plugin", "check", "faulty_plugin/leaky", "faulty_plugin/gone"]) == 1
    out = capsys.readouterr().out
    assert "pass  task      leaky  name\n" in out
    assert "skip  task      gone  is_on_this_machine: gone: its file is not here\n" in out
    assert "fail  task      leaky  no_overlap\n" in out
    assert "\n  wrong      train and test share 6 inputs, such as ('text 0',)\n" in out
    assert "\n  why        A test example that was trained on makes every score too high.\n" in out
    assert "\n  mend       Drop repeated inputs before splitting" in out
    assert out.splitlines()[-1].startswith("faulty_plugin/leaky, faulty_plugin/gone: 12 passed, 1 skipped, 1 failed")


def test_a_plugin_that_ends_the_process_is_a_failed_check(capsys):
    assert _main(["plugin", "check", "faulty_plugin/crashing", "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert checks[-1]["result"] == "failed"
    assert checks[-1]["reason"].startswith("the process of the checks ended with status 7 after task crashing: ")
    assert [one for one in checks if one["result"] == "passed"], "what ran before is lost"


def test_without_a_name_it_is_the_project_of_this_folder(tmp_path, capsys):
    assert _main(["plugin", "check"]) == 2
    assert "say which plugin to check: one of " in capsys.readouterr().err
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "not-installed"\n')
    assert _main(["plugin", "check"]) == 2
    error = capsys.readouterr().err
    assert (
        error == "tlbench: the project of this folder, not-installed, is not installed as a plugin: pip install -e .\n"
    )
    assert _main(["plugin", "check", "faulty_plugin/absent"]) == 2
    assert "faulty_plugin brings no 'absent'; it brings crashing, gone, leaky" in capsys.readouterr().err


def test_without_pytest_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("tlbench.cli.plugin.check_run.find_spec", lambda name: None)
    assert _main(["plugin", "check", "faulty_plugin"]) == 2
    assert capsys.readouterr().err.endswith("pip install 'tlbench[plugin]'\n")
