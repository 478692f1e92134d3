"""Conformance checks for suite files that plugins bring."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.planning.plan import plan
from tlbench.planning.suite import Suite, read_suite
from tlbench.testing.conformance.every_plugin import check_name


class SuiteConformance:
    """Checks a suite file.

    Guarantees: the file is read; it is described; every name in it is that of an installed object; every block has a
    cell, or a reason why there is none on this machine.

        class TestMySuite(SuiteConformance):
            suite = Path(my_package.__file__).parent / "suites" / "mine.toml"
    """

    suite: ClassVar[Path]

    def read(self) -> Suite:
        """Returns the suite in the file; the check fails if it cannot be read."""
        try:
            return read_suite(self.suite)
        except UsageError as error:
            pytest.fail(str(error), pytrace=False)

    def test_name(self) -> None:
        """The stem of the file's name is valid for `--suite`."""
        check_name(self.suite.stem)
        assert self.suite.suffix == ".toml", f"{self.suite.name} does not end in .toml"

    def test_file_is_read(self) -> None:
        """The file is TOML with known keys and allowed values."""
        suite = self.read()
        assert suite.description.strip(), f"{self.suite.name} has no description"

    def test_names_exist(self) -> None:
        """Every task, backbone and strategy in the file is one of an installed plugin."""
        catalog, unknown = Catalog.discover(), []
        for block in self.read().cells:
            for kind, names in (("task", block.tasks), ("backbone", block.backbones), ("strategy", block.strategies)):
                for name in names:
                    try:
                        getattr(catalog, kind)(name)
                    except UsageError as error:
                        unknown.append(str(error))
        assert not unknown, "; ".join(dict.fromkeys(unknown))

    def test_plan_has_cells(self) -> None:
        """The plan has a cell, or says for each combination what is missing on this machine."""
        planned = plan(self.read(), Catalog.discover())
        reasons = sorted({skip.reason for skip in planned.skips})
        assert planned.cells or reasons, f"{self.suite.name} has neither cells nor reasons for skipping them"
        if not planned.cells:
            pytest.skip(f"no cell can run on this machine: {'; '.join(reasons)[:200]}")
