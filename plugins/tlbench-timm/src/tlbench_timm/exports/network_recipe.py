"""How a network is built that timm registers no model of. Imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NetworkRecipe:
    """A function that builds a network with timm's methods `forward_features` and `forward_head`."""

    module: str
    """A module of timm, or one of this plugin that imports torch alone and is copied into exports."""
    function: str
    arguments: Mapping[str, Any]
    """Values that JSON can represent."""

    def build(self) -> Any:
        """Returns a new network with random weights."""
        return getattr(importlib.import_module(self.module), self.function)(**self.arguments)
