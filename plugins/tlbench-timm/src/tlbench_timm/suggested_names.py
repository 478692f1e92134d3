"""Suggests the name of a timm model for a backbone that was given without the scheme `timm:`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_MODEL = re.compile(r"[a-z]\w*(\.[\w-]+)?", re.ASCII)


def suggested(name: str) -> list[str]:
    """Returns the name with the scheme `timm:` if timm has a model of this name, with or without a tag of weights."""
    repository = name.removeprefix("timm/")
    return [f"timm:{repository}"] if _MODEL.fullmatch(repository) and _is_model(repository.partition(".")[0]) else []


def _is_model(architecture: str) -> bool:
    # Importing timm takes seconds, so its source files are searched for a function of this name instead: timm defines
    # each model by a function.
    spec = find_spec("timm")
    folders = [Path(place) / "models" for place in (spec.submodule_search_locations or ())] if spec else []
    defined = f"\ndef {architecture}(".encode()
    return any(defined in file.read_bytes() for folder in folders for file in folder.glob("*.py"))
