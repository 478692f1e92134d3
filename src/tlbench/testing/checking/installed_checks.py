"""The test module that `tlbench plugin check` gives to pytest: checks of the distribution in `TLBENCH_CHECK`."""

from __future__ import annotations

import os

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.plugins.check_variables import CHECKED
from tlbench.testing.checking import chosen_checks

_TARGETS = tuple(filter(None, os.environ.get(CHECKED, "").split(",")))
globals().update(chosen_checks.classes_of(Catalog.discover(), _TARGETS) if _TARGETS else {})
