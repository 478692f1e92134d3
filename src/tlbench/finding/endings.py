"""Why a search ended, in a few words."""

from __future__ import annotations

TIME_IS_UP = "the time was up"
CONDITION_MET = "the condition was met"
NOTHING_FITS = "the policy had no further fit that fits into the time"
NOTHING_LEFT = "the policy had nothing more to try"
"""As far as it can be told: every candidate was tried."""
HAD_MORE = frozenset({TIME_IS_UP, NOTHING_FITS})
"""With more time there would have been more to try."""
