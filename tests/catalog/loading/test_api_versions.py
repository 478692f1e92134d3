"""A plugin for another version of the API is refused in one line with both versions, and the others go on."""

import types

import pytest

from tlbench import hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.loading import api_check, load_watch
from tlbench.catalog.loading.api_check import fault_of_api, fault_of_requirement, requirement_of
from tlbench.catalog.loading.missing_packages import PACKAGES, SCHEMES, core_alone
from tlbench.cli.plugin.plugin_facts import facts_of
from tlbench.contracts.plugins.api_version import API_VERSION, misfit
from tlbench.system.version import VERSION


@pytest.mark.parametrize(
    ("version", "offered", "age"),
    [
        ((1, 0), (1, 0), ""), ((1, 0), (1, 7), ""), ((1, 8), (1, 7), "new"), ((2, 0), (1, 7), "new"),
        ((1, 9), (2, 0), "old"), ((0, 9), (1, 0), "old"),
    ],
)  # fmt: skip
def test_an_earlier_minor_version_fits_and_no_other_major_one(version, offered, age):
    assert misfit(version, offered) == age


def module(**attributes):
    made = types.ModuleType("made")
    vars(made).update(attributes)
    return made


MAJOR, MINOR = API_VERSION


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (API_VERSION, ""),
        ((MAJOR, MINOR + 1), f"it is too new: it was written for version {MAJOR}.{MINOR + 1} of the plugin API, and "
         f"tlbench {VERSION} has {MAJOR}.{MINOR}; upgrade tlbench"),
        ((MAJOR - 1, 3), f"it is too old: it was written for version {MAJOR - 1}.3 of the plugin API, and "
         f"tlbench {VERSION} has {MAJOR}.{MINOR}; upgrade some-plugin"),
        ("1.0", f"its tlbench_api is '1.0', which is no pair of integers such as {API_VERSION}"),
        ((1, True), f"its tlbench_api is (1, True), which is no pair of integers such as {API_VERSION}"),
        ((-1, 0), f"its tlbench_api is (-1, 0), which is no pair of integers such as {API_VERSION}"),
    ],
)  # fmt: skip
def test_the_module_s_version_is_compared(declared, reason):
    assert fault_of_api(module(tlbench_api=declared), "some-plugin") == reason


@pytest.fixture
def requiring(monkeypatch):
    def requires(*lines):
        monkeypatch.setattr(api_check.metadata, "requires", lambda name: list(lines))

    return requires


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((f"tlbench>={VERSION}",), ""),
        (("tlbench",), ""),
        (("tlbench-hf>=99", "torch<1"), ""),
        (("tlbench>=99; extra == 'more'",), ""),
        (("tlbench<100,>=99.1",), f"it is too new: it requires tlbench <100,>=99.1, and this is tlbench {VERSION};"
         " upgrade tlbench"),
        (("tlbench<0.0.5",), f"it is too old: it requires tlbench <0.0.5, and this is tlbench {VERSION}; upgrade it"),
        (("tlbench ???",), ""),
    ],
)  # fmt: skip
def test_without_a_version_the_requirement_is_compared(requiring, lines, reason):
    requiring(*lines)
    assert fault_of_requirement("some-plugin") == reason
    assert fault_of_api(module(), "some-plugin") == reason


def test_what_is_not_installed_requires_nothing():
    assert requirement_of("no-such-distribution") == ""
    assert fault_of_api(module(), "") == ""


def test_a_plugin_that_is_refused_leaves_the_others_alone(tmp_path, monkeypatch):
    (tmp_path / "from_the_future.py").write_text("tlbench_api = (99, 0)\nfrom tlbench import hookimpl\n"
        "@hookimpl\ndef tlbench_tasks():\n    raise SystemExit(3)\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "from_the_future,tlbench.testing.toy_plugin")
    catalog = Catalog.discover()
    (broken,) = [one for one in catalog.broken if "from_the_future" in one.plugin]
    assert broken.reason.startswith("it is too new: it was written for version 99.0 of the plugin API, and tlbench")
    assert catalog.task("toy-tone")
    assert "from_the_future" not in [plugin.distribution for plugin in catalog.plugins]


def test_an_import_that_fails_in_a_plugin_for_another_version_says_so(monkeypatch, requiring):
    class Point:
        name, value, module = "main", "gone:plugin", "gone"
        dist = types.SimpleNamespace(name="some-plugin", version="3.0")

        def load(self):
            raise ImportError("cannot import name 'NewThing' from 'tlbench'")

    requiring("tlbench>=99")
    from tlbench.catalog.loading import plugin_modules

    monkeypatch.setattr(plugin_modules.metadata, "entry_points", lambda group: [Point()])
    (broken,) = Catalog.discover().broken
    assert broken.plugin == "some-plugin 3.0 (main)"
    assert broken.reason.startswith(
        f"it is too new: it requires tlbench >=99, and this is tlbench {VERSION}; upgrade tlbench ("
    )
    assert "cannot import name 'NewThing'" in broken.reason


def test_loading_is_measured_and_heavy_libraries_are_named(tmp_path, monkeypatch):
    (tmp_path / "some_heavy_library.py").write_text("")
    (tmp_path / "heavy_plugin.py").write_text(
        "import some_heavy_library\nfrom tlbench import hookimpl\n@hookimpl\ndef tlbench_suites():\n    return []\n"
    )
    monkeypatch.setattr(load_watch, "HEAVY", ("some_heavy_library", "torch"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "heavy_plugin")
    catalog = Catalog.discover()
    (load,) = [load for title, load in catalog.discovery.loads.items() if "heavy_plugin" in title]
    assert load.heavy == ("some_heavy_library",)
    assert load.seconds > 0
    (facts,) = facts_of(catalog, (), "heavy_plugin")
    assert [problem.reason for problem in facts.problems] == [
        "loading it imports some_heavy_library, which takes seconds: import it inside functions"
    ]
    assert not facts.is_broken


def test_the_packages_to_install_exist_and_bring_what_is_said():
    catalog = Catalog.discover()
    if len(catalog.plugins) < 10:
        pytest.skip("the plugins of this repository are not installed")
    for kind, packages in PACKAGES.items():
        brought = {entry.distribution for entry in catalog.entries(kind)}
        assert {*packages} <= brought, kind
    forms = {form.partition(":")[0] for kind in ("task", "backbone") for form in catalog.schemes(kind)}
    assert {*SCHEMES} <= forms
    assert core_alone(["tlbench"]).startswith("no plugin is installed")
    assert core_alone(["tlbench", "some-plugin"]) == ""


def test_an_attribute_of_that_name_is_no_hook():
    made = module(tlbench_api=API_VERSION, tlbench_suites=hookimpl(lambda: []))
    from tlbench.catalog.discovery import Plugin

    catalog = Catalog.discover([Plugin("made", "1.0", "main", made)])
    assert not [broken for broken in catalog.broken if "made" in broken.plugin]
