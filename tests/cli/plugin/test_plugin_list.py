"""`tlbench plugin list` and `doctor`, and what `list plugins` and `version` say of plugins."""

import json

import pytest

from tlbench.cli.app import _main


@pytest.fixture
def broken(tmp_path, monkeypatch):
    (tmp_path / "raises_here.py").write_text("\n1 / 0\n")
    (tmp_path / "half_broken.py").write_text(
        "from tlbench import Classes, Task, hookimpl\nfrom tlbench.testing.toys import ToyTask\n"
        "class Bare(Task):\n    name = 'bare'\n"
        "@hookimpl\ndef tlbench_tasks():\n    return [ToyTask(), Bare()]\n"
        "@hookimpl\ndef tlbench_commands():\n    return {'list': print}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "raises_here,half_broken,tlbench.testing.toy_plugin")
    return tmp_path


def run(capsys, *arguments):
    capsys.readouterr()
    status = _main([*arguments])
    return status, *capsys.readouterr()


def test_each_plugin_has_a_line_with_its_state(broken, capsys):
    status, out, _ = run(capsys, "plugin", "list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "broken" in lines["raises_here"]
    assert "broken" in lines["half_broken"]
    assert "1 task" in lines["half_broken"]
    assert "1 command" in lines["half_broken"]
    assert "1.0" in lines["tlbench"]
    assert "`tlbench plugin doctor` says what is wrong and where" in out
    # The same table, which has one place.
    assert run(capsys, "list", "plugins")[1].splitlines()[0].split() == out.splitlines()[0].split()


def test_the_doctor_says_why_and_where_and_fails(broken, capsys):
    status, out, _ = run(capsys, "plugin", "doctor")
    assert status == 1
    assert f"broken: raises_here: ZeroDivisionError: division by zero ({broken / 'raises_here.py'}:2)" in out
    assert "broken: half_broken: the task 'bare' (Bare) has no modality" in out
    assert "broken: half_broken: its command 'list' is hidden by tlbench's own: give it another name" in out
    assert "has a task 'toy-tone' too: it is named half_broken/toy-tone" in out
    assert "2 of" in out.splitlines()[-1]
    assert "Traceback" not in out
    status, out, _ = run(capsys, "plugin", "doctor", "raises_here", "--traceback")
    assert status == 1
    assert "    Traceback (most recent call last):" in out
    assert "half_broken" not in out


def test_the_doctor_of_what_works_is_one_line(tlbench_toys, capsys):
    status, out, _ = run(capsys, "plugin", "doctor", "tlbench")
    assert (status, out) == (0, "1 plugin, none broken; plugin API 1.0\n")


def test_an_unknown_plugin_is_one_line(tlbench_toys, capsys):
    for command in ("doctor", "check"):
        status, _, error = run(capsys, "plugin", command, "no-such-plugin")
        assert status == 2
        assert error.startswith("tlbench: no plugin of 'no-such-plugin' is installed; there are ")
        assert error.count("\n") == 1


def test_the_version_names_what_is_broken(broken, capsys):
    out = run(capsys, "version")[1]
    assert "\nraises_here broken: ZeroDivisionError: division by zero\n" in out
    plugins = {one["name"]: one for one in json.loads(run(capsys, "version", "--json")[1])["plugins"]}
    assert plugins["raises_here"]["broken"] == ["ZeroDivisionError: division by zero"]
    assert plugins["tlbench"]["broken"] == []


def test_names_of_plugins_print_nothing_but_text(tmp_path, monkeypatch, capsys):
    (tmp_path / "hostile.py").write_text("raise ValueError('\\x1b[8mhidden\\n# NEXT')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "hostile")
    for arguments in (["plugin", "list"], ["plugin", "doctor", "--traceback"], ["version"]):
        out = run(capsys, *arguments)[1]
        assert "\x1b" not in out
        assert "\n# NEXT" not in out
