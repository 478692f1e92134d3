"""Plugins with every kind of fault: each is named in a line, and all others work."""

import pytest

from tlbench.cli.app import _main

GOOD = "tlbench.testing.toy_plugin"
HOOKS = ("backbones", "tasks", "strategies", "suites", "executors", "metrics", "outputs", "renderers", "policies")
BODIES = {
    "an import that is missing": "import no_such_module_at_all",
    "an error": "1 / 0",
    "a SystemExit": "raise SystemExit('on purpose')",
    "a KeyboardInterrupt": "raise KeyboardInterrupt",
    "a syntax error": "def broken(:",
    "an own exit": "import sys; sys.exit(3)",
    "no plugin": "x = 1",
    "a hook of a later version": "from tlbench import hookimpl\n@hookimpl\ndef tlbench_telepaths():\n    return []\n",
    "an argument of a later version": (
        "from tlbench import hookimpl\n@hookimpl\ndef tlbench_tasks(moon_phase):\n    return []\n"
    ),
    "an API of a later version": "from tlbench import NoSuchThing",
    **{
        f"tlbench_{hook} that {how}": (f"from tlbench import hookimpl\n@hookimpl\ndef tlbench_{hook}():\n    {body}\n")
        for hook in HOOKS
        for how, body in (
            ("raises", "raise RuntimeError('on purpose')"),
            ("exits", "raise SystemExit(1)"),
            ("returns junk", "return [1, None, object()]"),
            ("returns none", "return 7"),
        )
    },
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_plugin_with_a_fault_is_named_and_the_others_work(tmp_path, monkeypatch, capsys, body):
    (tmp_path / "faulty_plugin.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", f"faulty_plugin,{GOOD}")
    import sys

    sys.modules.pop("faulty_plugin", None)
    assert _main(["list", "strategies"]) == 0
    said = capsys.readouterr()
    assert "toy-tune" in said.out
    assert "faulty_plugin" in said.out + said.err
    assert "Traceback" not in said.out + said.err
    sys.modules.pop("faulty_plugin", None)


def test_a_run_goes_on_beside_a_faulty_plugin(tmp_path, monkeypatch, capsys):
    (tmp_path / "faulty_plugin.py").write_text("raise SystemExit(4)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", f"faulty_plugin,{GOOD}")
    arguments = ["run", "-t", "toy-tone", "-S", "toy-majority", "--device", "cpu", "--executor", "inline"]
    assert _main([*arguments, "--out", str(tmp_path / "out")]) == 0
