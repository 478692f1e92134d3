"""Finds out whether a backbone's weights are on this machine, and downloads them for a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import PluginError, UsageError
from tlbench.contracts.strategy import Strategy
from tlbench.contracts.task import Task


@dataclass
class Presence:
    """Looks up once for each backbone whether its weights are on this machine."""

    here: bool
    """Whether weights must be on this machine; if False, none count as missing."""
    fetch: bool
    """Whether to download what is missing."""
    _known: dict[str, str | None] = field(default_factory=dict)

    def missing(self, backbone: Backbone) -> str | None:
        """Returns why the backbone's weights are missing, or None if they are on this machine or need not be.

        Raises:
            UsageError: `missing` of the backbone raised it.
            PluginError: `missing` of the backbone raised something else, or returned anything but text or None.
        """
        if not self.here:
            return None
        if backbone.name not in self._known:
            self._known[backbone.name] = self._look_up(backbone)
        return self._known[backbone.name]

    def _look_up(self, backbone: Backbone) -> str | None:
        reason = reason_of(backbone, "missing()", backbone.missing)
        if reason is None or not self.fetch:
            return reason
        try:
            backbone.fetch()
        except UsageError as error:
            return str(error)
        except (Exception, SystemExit) as error:
            return f"{reason}; fetch() raised {type(error).__name__}: {error}"
        return reason_of(backbone, "missing()", backbone.missing)


def reason_of(item: Backbone | Task | Strategy, method: str, call: Callable[[], object]) -> str | None:
    """Returns the reason against a combination that a plugin's method gives, or None if the method gives none.

    Raises:
        UsageError: The method raised it.
        PluginError: The method raised something else, or returned anything but text or None.
    """
    try:
        reason = call()
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{item.name}: {method} raised {type(error).__name__}: {error}") from error
    if reason is None or isinstance(reason, str):
        return reason
    raise PluginError(f"{item.name}: {method} returned {reason!r:.80}: it returns why not, in words, or None")
