"""What to install where no installed plugin brings a kind of object, or reads names of a scheme such as `csv:`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "backbone": ("tlbench-hf", "tlbench-timm", "tlbench-words"),
    "task": ("tlbench-glue", "tlbench-data"),
    "strategy": ("tlbench-finetune", "tlbench-peft"),
    "suite": ("tlbench-glue", "tlbench-data", "tlbench-timm"),
}
"""The first packages to install for objects of a kind; others bring more of them."""

SCHEMES: Mapping[str, str] = {
    "hf": "tlbench-hf",
    "timm": "tlbench-timm",
    **dict.fromkeys(
        ("csv", "tsv", "jsonl", "parquet", "conll", "squad", "parallel", "imagefolder", "idx", "hub"), "tlbench-data"
    ),
}
"""The package that resolves names with a scheme."""
_TEXT = ("tlbench-hf", "tlbench-glue", "tlbench-data", "tlbench-finetune")
_IMAGES = ("tlbench-timm", "tlbench-data", "tlbench-finetune")


def to_install(kind: str) -> str:
    """Returns the command that installs the first package for objects of a kind, and the names of the others."""
    packages = PACKAGES.get(kind, ())
    if not packages:
        return ""
    others = f" (or {', '.join(packages[1:])})" if packages[1:] else ""
    return f"pip install {packages[0]}{others}"


def core_alone(distributions: Iterable[str]) -> str:
    """Returns what to install if no distribution but tlbench itself brings plugins; else an empty text."""
    if any(one != "tlbench" for one in distributions):
        return ""
    return (
        "no plugin is installed, so there is nothing to run yet; for texts: pip install "
        f"{' '.join(_TEXT)}; for images: pip install {' '.join(_IMAGES)}"
    )
