"""The test module that `tlbench plugin check` gives to pytest: checks of the distribution in `TLBENCH_CHECK`."""

from __future__ import annotations

import os

from tlbench.catalog.catalog import Catalog
from tlbench.testing.checking import chosen_checks

VARIABLE = "TLBENCH_CHECK"
"""Environment variable with the distribution, or with `distribution/name` for one of its objects."""

_DISTRIBUTION, _, _NAME = os.environ.get(VARIABLE, "").partition("/")
globals().update(chosen_checks.classes_of(Catalog.discover(), _DISTRIBUTION, _NAME) if _DISTRIBUTION else {})
