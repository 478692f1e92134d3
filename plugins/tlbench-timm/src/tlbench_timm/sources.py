"""Finds weights: named files, files below `TLBENCH_DATA`, and the local hub cache."""

from __future__ import annotations

import re
from pathlib import Path

from tlbench import UsageError
from tlbench.catalog.data_roots import data_roots
from tlbench.catalog.package_files import sha256_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_SECONDS = 10
_FILE = "model.safetensors"


def pinned_file(text: str, title: str) -> str:
    """Returns "<absolute path>@<digest>" of a safetensors file; `text` is a path, with or without "@<digest>".

    Raises:
        UsageError: The file is missing, is not a .safetensors file, or does not match the digest.
    """
    path, at, digest = text.rpartition("@")
    if not at or not path.endswith(".safetensors"):
        path, digest = text, ""
    file = Path(path).expanduser()
    if file.suffix != ".safetensors":
        # A pickle could run code when it is loaded.
        raise UsageError(f"{title}[weights={text}]: only .safetensors files are read; convert the weights first")
    if not file.is_file():
        raise UsageError(f"{title}[weights={text}]: no such file")
    current = digest_of(file.resolve())
    if digest and digest != current:
        raise UsageError(f"{title}: the digest of {path} is now {current}; drop @{digest} to use it as it is")
    return f"{file.resolve()}@{current}"


def unchanged_file(pinned: str, title: str) -> Path:
    """Returns the path of a pinned file.

    Raises:
        UsageError: The file is missing, or has changed since it was pinned.
    """
    return Path(pinned_file(pinned, title).rpartition("@")[0])


def digest_of(file: Path) -> str:
    """Returns the first twelve hex digits of a file's SHA-256."""
    return sha256_of(file)[:12]


def local_file(parts: str) -> Path | None:
    """Returns the first file with this relative path in the folders of `TLBENCH_DATA`, or None if there is none."""
    return next((file for root in data_roots() if (file := root / parts).is_file()), None)


def cached_file(architecture: str, revision: str | None, filename: str = _FILE) -> Path | None:
    """Returns a file of the weights' repository from the local hub cache, or None if it is not there.

    The network is never used. timm keeps the weights of each tag in a repository of its own, so a name without a tag
    finds nothing.
    """
    return _cached(f"timm/{architecture}", revision, filename)


def cached_commit(architecture: str, revision: str | None) -> str | None:
    """Returns the commit of these weights in the local hub cache, or None."""
    file = cached_file(architecture, revision)
    return commit_of(file) if file else None


def commit_of(file: Path) -> str:
    """Returns the commit in the path of a file in the hub cache, or "unknown" if the path contains none."""
    return next((part for part in reversed(file.parts) if _COMMIT.fullmatch(part)), "unknown")


def fetched_file(architecture: str, revision: str | None) -> Path:
    """Returns the path of a timm model's weights, downloading them from the hub if they are not on this machine.

    Raises:
        UsageError: The weights are not on this machine and cannot be downloaded, or no revision is given.
    """
    from tlbench_timm.loading import hub_place

    repository, filename = hub_place(architecture)
    file = _cached(repository, revision, filename)
    if file is not None:
        return file
    alternative = f"or give timm:{architecture}[weights=<file.safetensors>]"
    if revision is None:
        raise UsageError(
            f"timm:{architecture} is not in the local hub cache: "
            f"pin what to fetch, as timm:{architecture}@<commit>, {alternative}"
        )
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # Checked with one short request, because downloads retry for minutes when there is no network.
        commit = HfApi().model_info(repository, revision=revision, timeout=_TIMEOUT_SECONDS).sha
        # `card` reads the licence from this file.
        hf_hub_download(repository, "config.json", revision=commit)
        return Path(hf_hub_download(repository, filename, revision=commit))
    # The hub client lets exceptions of its HTTP library through, and that library differs between releases.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"timm:{architecture}@{revision} is not in the local hub cache and cannot be downloaded: {reason}: it needs"
            f" config.json and {filename} of {repository} at this revision; run"
            f" `tlbench fetch --backbone timm:{architecture}@{revision}` where the hub can be reached, {alternative}"
        ) from error


def _cached(repository: str, revision: str | None, filename: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(repository, filename, revision=revision or "main")
    # The architecture is user input, and may not be a valid repository name.
    except HFValidationError:
        return None
    # The result is a marker object instead of a string if the cache records that the repository lacks the file.
    return Path(cached) if isinstance(cached, str) else None
