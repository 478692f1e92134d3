"""What a module is made of, so that what a fit has added or replaced can be undone without loading it anew."""

from __future__ import annotations

from typing import Any

from torch import nn


class Structure:
    """A module's parts, weights and settings as they are now, as objects; values of weights are not among them."""

    def __init__(self, module: nn.Module) -> None:
        self._parts = [(part, type(part), _shallow(vars(part))) for part in module.modules()]

    def restore(self) -> None:
        """Puts the same parts, weights, hooks and settings back into the same modules.

        A part that an adapter library has wrapped is where it was, and what was added is gone from the module.
        """
        for part, kind, attributes in self._parts:
            if type(part) is not kind:
                part.__class__ = kind  # a parametrisation makes a class of its own for a module
            now = vars(part)
            for name in now.keys() - attributes.keys():
                del now[name]
            now.update(_shallow(attributes))


def _shallow(attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes with copies of what is changed in place: dictionaries of parts, weights, hooks; sets."""
    return {
        name: type(value)(value) if type(value).__name__ in {"dict", "OrderedDict", "set"} else value
        for name, value in attributes.items()
    }
