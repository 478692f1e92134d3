"""Refuses model folders that would make transformers load anything beyond their own pinned files.

Only files are read, and torch is not imported, so a model is refused before any of its code could run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlbench import UsageError
from tlbench.contracts.untrusted.regular_files import links_inside
from tlbench.contracts.untrusted.settings_files import read_json_object

ADAPTER = "adapter_config.json"
"""File that makes transformers load an adapter on top of the model where peft is installed."""
TIMM_FAMILIES = frozenset({"gemma3n_vision", "timm_backbone", "timm_wrapper"})
"""Families whose configuration transformers passes to timm, which may read or download other files."""
_SETTINGS = ("tokenizer_config.json", "preprocessor_config.json", "processor_config.json", "special_tokens_map.json")
# Settings whose value may be a hub repository with compiled code, which transformers would download and run.
_KERNELS = ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")


def refuse_foreign(folder: Path, title: str) -> None:
    """Refuses a folder whose files make transformers load anything but the pinned files of the folder itself.

    Raises:
        UsageError: The folder has an adapter, a link that leads out of it, another library's model, code from the hub,
            or settings that name files elsewhere or cannot be read.
    """
    if (folder / ADAPTER).is_file():
        raise UsageError(f"{title}: the folder has an adapter ({ADAPTER}): merge it into the model first")
    _refuse_links(folder, title)
    if (folder / "config.json").exists():
        config = read_settings(folder, "config.json", title)
        refuse_foreign_parts(config, title)
        for key in ("transformers_weights", "configuration_files"):
            if config.get(key):
                raise UsageError(f"{title}: config.json names other files, under {key}, that no digest pins: remove it")
    for name in _SETTINGS:
        if (folder / name).exists():
            _refuse_outside(folder, name, read_settings(folder, name, title), title)


def read_settings(folder: Path, name: str, title: str = "") -> dict[str, Any]:
    """Returns the object in a JSON file of a model's folder.

    Raises:
        UsageError: The file cannot be read or is not a JSON object; the message begins with the title, if there is one.
    """
    try:
        return read_json_object(folder / name, links=links_inside(folder))
    except ValueError as error:
        raise UsageError(f"{title}: {str(error).replace(str(folder / name), name)}" if title else str(error)) from None


def _refuse_links(folder: Path, title: str) -> None:
    root = links_inside(folder).resolve()
    for path in (*folder.glob("*"), *folder.glob("1_Pooling/*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise UsageError(f"{title}: {path.name} is a link that leads out of the folder: copy the file here")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UsageError(f"{title}: {path.name} is not a regular file: remove it")


def _refuse_outside(folder: Path, name: str, settings: Mapping[str, Any], title: str) -> None:
    """Refuses settings of a tokenizer or processor that name a file outside of the folder, if there is such a file."""
    for key, value in settings.items():
        if key.endswith(("_file", "_files")):
            for file in value if isinstance(value, list) else [value]:
                # Many published settings have a path of the machine on which they were made, which leads nowhere.
                is_elsewhere = isinstance(file, str) and "\0" not in file and Path(file).name != file
                if is_elsewhere and (folder / str(file)).exists():
                    raise UsageError(f"{title}: {name} names a file elsewhere, under {key}: remove it")


def refuse_foreign_parts(config: Any, title: str) -> None:
    """Refuses a configuration that, at any depth, makes transformers load another model or code from the hub.

    Raises:
        UsageError: The configuration is of this kind.
    """
    for part in _mappings(config):
        family = str(part.get("model_type", ""))
        # timm's own config files have no model_type; transformers recognises them by pretrained_cfg.
        if family in TIMM_FAMILIES or "pretrained_cfg" in part or part.get("use_timm_backbone"):
            raise UsageError(f"{title}: config.json makes timm build the model or a part of it: use timm:<name>")
        if part.get("use_pretrained_backbone") or isinstance(part.get("backbone"), str):
            raise UsageError(f"{title}: config.json refers to a backbone elsewhere: use that one by its own name")
        # A value with a slash is a repository's name.
        if kernels := [key for key in _KERNELS if "/" in str(part.get(key))]:
            raise UsageError(f"{title}: config.json loads code from the hub: remove {kernels[0]} from it")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _mappings(each)
