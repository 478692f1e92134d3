"""The names of the project's packages, for messages about packages that are not installed."""

from importlib import metadata

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.loading.project_names import NAMES, package_of
from tlbench.contracts.errors import UsageError


def test_they_are_those_of_the_installed_packages(monkeypatch):
    monkeypatch.delenv("TLBENCH_PLUGINS", raising=False)
    brought = {}
    for one in Catalog.discover().discovery.entries:
        if one.kind not in NAMES:
            continue
        brought.setdefault((one.kind, one.distribution), set()).add(one.name)
    known = {
        (kind, package): set(names.split()) for kind, packages in NAMES.items() for package, names in packages.items()
    }
    installed = {distribution for _, distribution in brought if distribution.startswith("tlbench-")}
    assert installed, "no plugin of the project is installed"
    ours = {key: names for key, names in brought.items() if key[1] in installed}
    assert ours == {key: names for key, names in known.items() if key[1] in installed}


@pytest.mark.parametrize(
    ("kind", "name", "package"), [("strategy", "lora", "tlbench-peft"), ("backbone", "minilm-l6", "tlbench-hf")]
)
def test_a_name_of_a_package_that_is_not_installed_says_what_to_install(monkeypatch, kind, name, package):
    def missing(asked):
        raise metadata.PackageNotFoundError(asked)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert package_of(kind, name) == package
    assert package_of(kind, "no-such-name") == ""
    catalog = Catalog.discover()
    catalog._index[kind] = {known: found for known, found in catalog._by_name(kind).items() if known != name}
    with pytest.raises(UsageError, match=f"; the package {package} brings it: pip install {package}$"):
        getattr(catalog, kind)(f"{name}")


def test_an_installed_package_is_not_suggested():
    assert package_of("strategy", "lora") == ""
