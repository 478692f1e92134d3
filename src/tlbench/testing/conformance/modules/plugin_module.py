"""Conformance checks for the module of a plugin: its hooks, its API version and its names with a scheme."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

import pytest

from tlbench.catalog.discovery import KINDS, Discovery, Plugin, discover
from tlbench.catalog.loading.api_check import declared_api, fault_of_api, requirement_of
from tlbench.contracts.errors import UsageError
from tlbench.contracts.plugins.api_version import ATTRIBUTE
from tlbench.testing.conformance.every_plugin import heavy_imports

FOREIGN = "no-such-scheme:no-such-name"
RESOLVED = ("backbone", "task", "strategy")


class PluginConformance:
    """Checks a plugin's module as tlbench loads it.

    Guarantees: importing it loads no heavy library; it says which version of the plugin API it was written for; every
    object that its hooks list can be used; a second call lists the same names; names of foreign schemes are left alone.

        class TestMyPlugin(PluginConformance):
            plugin = my_package.plugin
    """

    plugin: ClassVar[ModuleType]

    def test_import_is_light(self) -> None:
        """Importing the module does not import heavy libraries such as torch."""
        loaded = heavy_imports(self.plugin.__name__)
        if loaded is None:
            pytest.skip(f"{self.plugin.__name__} cannot be imported by another process")
        assert not loaded, f"importing {self.plugin.__name__} loads {', '.join(loaded)}"

    def test_api_version(self) -> None:
        """The module or the distribution's requirement says which tlbench it was written for, and this one fits."""
        distribution = self._discovered()[0].distribution
        fault = fault_of_api(self.plugin, distribution)
        assert not fault, fault
        says = declared_api(self.plugin) is not None or requirement_of(distribution)
        assert says, f"neither {ATTRIBUTE} nor a requirement says for which tlbench {self.plugin.__name__} was written"

    def test_every_object_can_be_used(self) -> None:
        """Every hook that lists objects returns valid ones."""
        plugin, discovery = self._discovered()
        faults = [broken for broken in discovery.broken if broken.plugin == plugin.title]
        assert not faults, "; ".join(f"{one.reason} {one.where}".strip() for one in faults)

    def test_hooks_list_the_same_names_again(self) -> None:
        """A hook that is called twice, as in each worker process, lists objects of the same names."""
        plugin, discovery = self._discovered()
        for hook, _ in KINDS.values():
            for owner, function in discovery.hooks(hook):
                if owner.title == plugin.title:
                    first, again = ([_name(item) for item in function()] for _ in range(2))
                    assert first == again, f"{hook} lists {first}, and then {again}"

    def test_schemes(self) -> None:
        """`tlbench_schemes` gives forms with their kinds, and `tlbench_resolve` leaves foreign names to others."""
        schemes = self._functions("tlbench_schemes")
        resolvers = self._functions("tlbench_resolve")
        if not schemes and not resolvers:
            pytest.skip("this plugin has no names with a scheme")
        for function in schemes:
            forms = function()
            assert isinstance(forms, Mapping), f"tlbench_schemes returned a {type(forms).__name__}, not a mapping"
            for form, kind in forms.items():
                assert ":" in form, f"{form!r} has no scheme: a form is written as scheme:<what follows>"
                assert kind in RESOLVED, f"{form!r} has the kind {kind!r}, which is none of {', '.join(RESOLVED)}"
        for function in resolvers:
            for kind in RESOLVED:
                try:
                    item = function(kind=kind, name=FOREIGN)
                except UsageError as error:
                    raise AssertionError(
                        f"tlbench_resolve raised for {FOREIGN!r}, which is not its own: {error}"
                    ) from None
                assert item is None, f"tlbench_resolve returned a {type(item).__name__} for {FOREIGN!r}"

    def test_suggestions(self) -> None:
        """`tlbench_suggest` returns texts for any unknown name."""
        functions = self._functions("tlbench_suggest")
        if not functions:
            pytest.skip("this plugin suggests no names")
        for function in functions:
            for kind in RESOLVED:
                names = list(function(kind=kind, name="no-such-name"))
                assert all(isinstance(name, str) for name in names), f"tlbench_suggest gave {names!r:.80}, not texts"

    def _functions(self, hook: str) -> list[Any]:
        plugin, discovery = self._discovered()
        return [function for owner, function in discovery.hooks(hook) if owner.title == plugin.title]

    def _discovered(self) -> tuple[Plugin, Discovery]:
        """Returns the plugin as it is installed, or else as a module in development, with what was discovered."""
        discovery = discover()
        installed = next((one for one in discovery.plugins if one.module is self.plugin), None)
        if installed is not None:
            return installed, discovery
        plugin = Plugin(self.plugin.__name__.partition(".")[0], "", self.plugin.__name__, self.plugin)
        return plugin, discover([plugin])


def _name(item: Any) -> str:
    return str(getattr(item, "name", item))
