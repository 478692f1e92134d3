"""Why a search ended, in a few words."""

from __future__ import annotations

TIME_IS_UP = "the time was up"
"""There was more to try."""
CONDITION_MET = "the condition was met"
NOTHING_FITS = "the policy had no further fit that fits into the time"
