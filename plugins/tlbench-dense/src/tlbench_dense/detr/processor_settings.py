"""The settings of a folder's image processor, without transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "preprocessor_config.json"


def processor_settings(folder: Path) -> Mapping[str, Any]:
    """Returns the settings of the folder's image processor; empty if it has none."""
    from tlbench_hf.foreign_files import read_settings

    settings: Mapping[str, Any] = read_settings(folder, FILE) if (folder / FILE).is_file() else {}
    return settings
