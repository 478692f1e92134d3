"""The option of a backbone that lets it read longer texts."""

from __future__ import annotations

import shlex
from typing import Any

from tlbench.catalog.catalog import Found
from tlbench.catalog.names import parameters, with_parameter
from tlbench.contracts.backbone import Backbone

OPTION = "max_length"


def longer_texts(found: Found[Backbone]) -> str:
    """Returns advice on reading more of long texts: the backbone's name with a greater `max_length`.

    The length is doubled, or set to the most that the model can take if that is less. If the backbone has no such
    option, or is at its limit, the advice says so.
    """
    backbone: Any = found.item
    length = getattr(backbone, OPTION, None)
    if OPTION not in parameters(backbone) or not isinstance(length, int):
        return "it has no option for longer texts"
    most = backbone.card().most_positions
    if most is not None and length >= most:
        return f"the model takes at most {most:,} tokens; another backbone may take more"
    longer = 2 * length if most is None else min(2 * length, most)
    return f"-b {shlex.quote(with_parameter(found.ref.name, OPTION, longer))} reads up to {longer:,} tokens"
