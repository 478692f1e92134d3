"""Pins names of Hugging Face repositories: the commit of a branch or tag, from the local cache or else from the hub.

The package huggingface_hub is a dependency of the plugins that call these functions.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tlbench.contracts.errors import UsageError

Kind = Literal["model", "dataset"]
COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_SECONDS = 10


def repository_folder(repository: str, kind: Kind) -> Path:
    """Returns the folder of a repository in the local hub cache, which may not exist."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"


def cached_commit(repository: str, revision: str, kind: Kind = "model") -> str | None:
    """Returns the commit of a revision: the revision if it is a commit, else that in the local hub cache, or None."""
    if COMMIT.fullmatch(revision):
        return revision
    reference = repository_folder(repository, kind) / "refs" / revision
    # A revision is user input and becomes a path here.
    if ".." in revision or not reference.is_file():
        return None
    commit = reference.read_text(encoding="utf-8").strip()
    return commit if COMMIT.fullmatch(commit) else None


def newest_commit(repository: str, revision: str, kind: Kind = "model") -> str:
    """Returns the commit that a branch or tag has on the hub now, and stores it in the local cache.

    Later commands read it from the cache, so that they continue with the same commit when the repository changes.

    Raises:
        UsageError: The hub cannot be reached, or has no such repository or revision.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        info = api.dataset_info if kind == "dataset" else api.model_info
        commit = str(info(repository, revision=revision, timeout=_TIMEOUT_SECONDS).sha)
    # The hub client lets exceptions of its HTTP library through, and that library differs between releases.
    except Exception as error:
        raise UsageError((str(error).strip() or type(error).__name__).splitlines()[0]) from error
    if not COMMIT.fullmatch(commit):
        raise UsageError(f"the hub gave no commit for {repository}, but {commit!r:.80}")
    reference = repository_folder(repository, kind) / "refs" / revision
    if ".." not in revision:
        with suppress(OSError):  # a cache that others share may be read-only
            reference.parent.mkdir(parents=True, exist_ok=True)
            reference.write_text(commit, encoding="utf-8")
    return commit
