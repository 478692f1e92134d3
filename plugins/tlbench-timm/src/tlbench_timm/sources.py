"""Where weights are: files that are named, files below `TLBENCH_DATA`, and the hub's cache on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

from tlbench import UsageError

VARIABLE = "TLBENCH_DATA"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REACH_SECONDS = 10
_FILE = "model.safetensors"


def pinned_file(text: str, title: str) -> str:
    """Returns "<absolute path>@<digest>" for a safetensors file, named with or without its digest.

    Raises:
        UsageError: No such file, another kind of file, or other content than the digest says.
    """
    path, at, digest = text.rpartition("@")
    if not at or not path.endswith(".safetensors"):
        path, digest = text, ""
    file = Path(path).expanduser()
    if file.suffix != ".safetensors":
        raise UsageError(f"{title}[weights={text}]: weights are read from safetensors files alone")
    if not file.is_file():
        raise UsageError(f"{title}[weights={text}]: no such file")
    found = digest_of(file.resolve())
    if digest and digest != found:
        raise UsageError(f"{title}: {path} holds {found} now; name it without @{digest} to use that")
    return f"{file.resolve()}@{found}"


def unchanged_file(pinned: str, title: str) -> Path:
    """Returns the file that was pinned; raises as `pinned_file` if it changed since."""
    return Path(pinned_file(pinned, title).rpartition("@")[0])


def digest_of(file: Path) -> str:
    """Returns twelve hex digits over the content of a file."""
    stat = file.stat()
    return _digest(file, stat.st_size, stat.st_mtime_ns)[:12]


def local_file(parts: str) -> Path | None:
    """Returns this file from the first of the folders of `TLBENCH_DATA` that has it, or None."""
    roots = [root for root in os.environ.get(VARIABLE, "").split(os.pathsep) if root.strip()]
    return next((file for root in roots if (file := Path(root).expanduser() / parts).is_file()), None)


def cached_file(architecture: str, revision: str | None, filename: str = _FILE) -> Path | None:
    """Returns a file of the weights' repository from the hub's cache, or None. Nothing is asked of the network.

    timm's weights lie in one repository for each tag, so a name without its tag says too little here.
    """
    return _cached(f"timm/{architecture}", revision, filename)


def cached_commit(architecture: str, revision: str | None) -> str | None:
    """Returns the commit that the hub's cache has for these weights, or None."""
    file = cached_file(architecture, revision)
    return commit_of(file) if file else None


def commit_of(file: Path) -> str:
    """Returns the commit of a file in the hub's cache."""
    return next((part for part in reversed(file.parts) if _COMMIT.fullmatch(part)), "unknown")


def fetched_file(architecture: str, revision: str | None) -> Path:
    """Returns the weights of a model of timm, fetched from the hub if need be.

    Raises:
        UsageError: They are not here and cannot be fetched, or nothing says which revision to fetch.
    """
    from tlbench_timm.loading import hub_place

    repository, filename = hub_place(architecture)
    file = _cached(repository, revision, filename)
    if file is not None:
        return file
    other = f"or give timm:{architecture}[weights=<file.safetensors>]"
    if revision is None:
        raise UsageError(
            f"timm:{architecture} is not in the local hub cache: "
            f"pin what to fetch, as timm:{architecture}@<commit>, {other}"
        )
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # Downloads try again and again where there is no network; this asks once.
        commit = HfApi().model_info(repository, revision=revision, timeout=_REACH_SECONDS).sha
        hf_hub_download(repository, "config.json", revision=commit)
        return Path(hf_hub_download(repository, filename, revision=commit))
    except Exception as error:  # the hub's client raises what its HTTP library does, and it changes
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"timm:{architecture}@{revision} is not in the local hub cache, nor to be had: {reason}; {other}"
        ) from error


def _cached(repository: str, revision: str | None, filename: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repository, filename, revision=revision or "main")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


@lru_cache(maxsize=64)
def _digest(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
