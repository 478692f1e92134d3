"""Finds a model's files and the revision that pins them.

A source is "package:<module>/<folder>" (files of an installed package), "data:<folder>" (a folder below
`TLBENCH_DATA`), an absolute folder, or a repository on the hub. All of them lead to a folder on this machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tlbench import UsageError
from tlbench.catalog.data_roots import DATA_VARIABLE, data_roots
from tlbench.catalog.hub_commits import cached_commit, newest_commit, repository_folder
from tlbench.contracts.untrusted.regular_files import links_inside, open_regular
from tlbench_hf.foreign_files import read_settings, refuse_foreign

PACKAGE = "package:"
DATA = "data:"
SEED = "seed:"
"""Prefix of the identifier of random weights; the seed follows the prefix."""
POOLING = "1_Pooling/config.json"
"""File that declares how sentence-transformers pools a model; most repositories have no such file."""
TOKENIZER = "tokenizer_config.json"
"""File with a tokenizer's special tokens and length limit; some repositories have no such file."""
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TEXT_FILES = ("*.model", "*.txt", "*.json", "*.spm", "*.bpe", "*.tiktoken", "*.codes", "vocab.*", POOLING)
MODEL_CARD = "README.md"
"""The model's card, which no result depends on: it is fetched, but not hashed with the weights."""
INPUT_FILES = ("tokenizer.json", "vocab.*", "*.model", "preprocessor_config.json", "processor_config.json")
"""Patterns of the files that a tokenizer or an image processor is read from; a model needs one of them."""
INPUT_SETTINGS = (TOKENIZER, "special_tokens_map.json", "added_tokens.json", "merges.txt")
"""Further files of a tokenizer, each of which may be missing."""
_WEIGHTS = "model.safetensors"
_MODEL_FILES = "config.json with safetensors weights"
_INDEX = "model.safetensors.index.json"
_TIMEOUT_SECONDS = 10


def pin(text: str) -> tuple[str, str]:
    """Returns the source and revision of "<repo>[@revision]" or "<folder>[@revision]".

    The revision of a folder is a digest of its content. The revision of a repository is the given commit, else the one
    that the local hub cache has for the branch, else the newest one on the hub. Only the last needs the network.

    Raises:
        UsageError: The folder is missing, holds no model, loads other models, or does not match the revision; the name
            is neither a folder nor a repository; or neither the cache nor the hub gives a commit.
    """
    # The whole text is tried as a folder first, because a folder's name may itself contain an @.
    whole = Path(text).expanduser()
    if text and whole.is_dir():
        return str(whole.resolve()), digest(whole.resolve())
    source, at, revision = text.rpartition("@")
    if not at:
        source, revision = text, ""
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        current = digest(folder.resolve())
        if current != revision:
            raise UsageError(f"hf:{text}: the folder's digest is now {current}; drop @{revision} to use it as it is")
        return str(folder.resolve()), current
    if source.startswith(("/", ".", "~")) or not _REPOSITORY.fullmatch(source):
        raise UsageError(f"hf:{text}: neither a folder nor a repository name such as org/name")
    pinned = cached_commit(source, revision or "main")
    if pinned is None:
        try:
            pinned = newest_commit(source, revision or "main")
        except UsageError as error:
            raise UsageError(
                f"hf:{text} names no commit, the local hub cache has none for it, and the hub gives none ({error}):"
                f" name one, as hf:{source}@<commit>, or run `tlbench fetch --backbone hf:{text}` where the hub can be"
                " reached"
            ) from error
    _refuse_foreign(source, pinned)
    return source, pinned


def digest(folder: Path) -> str:
    """Returns the first twelve hex digits of a digest over a model folder's configuration, weights and tokenizer.

    Raises:
        UsageError: The folder has no configuration, or the model would load files that the digest does not cover.
    """
    refuse_foreign(folder, f"hf:{folder}")
    if not (folder / "config.json").is_file():
        raise UsageError(f"hf:{folder}: no config.json in this folder")
    paths = {path for pattern in _TEXT_FILES for path in folder.glob(pattern)}.union(weight_files(folder))
    stats = [(str(path.relative_to(folder)), path.stat()) for path in sorted(paths) if path.is_file()]
    # Hashing gigabytes takes seconds, so it is repeated only when a file's size or modification time changes.
    return _digest(folder, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def local_folder(source: str, revision: str | None, optional: Collection[str] = ()) -> Path | None:
    """Returns the folder with a source's files, or None for a repository that is not completely on this machine.

    Other programs may have cached only some of a repository's files. Each file in `optional` must be in the cache or be
    marked there as absent from the repository; otherwise results would depend on how the cache was filled.

    Raises:
        UsageError: The package or folder is missing, or no folder of `TLBENCH_DATA` has the source.
    """
    folder = held_folder(source, revision)
    if folder is None or (_is_repository(source) and _missing_files(folder, optional)):
        return None
    return folder


def missing_source(name: str, source: str, revision: str | None, optional: Collection[str] = ()) -> str | None:
    """Returns a message that says what is missing of a source and how to get it, or None if it is on this machine."""
    try:
        if local_folder(source, revision, optional) is not None:
            return None
    except UsageError as error:
        return str(error)
    if revision is None:
        return f"{name} is not in the local hub cache: pin what to fetch, as hf:{source}@<commit>"
    why = _why_not_here(source, revision, optional).replace(" and cannot be downloaded", "")
    return f"{name} {why}" + ("" if "`" in why else f": run `tlbench fetch --backbone {shlex.quote(name)}`")


def held_folder(source: str, revision: str | None) -> Path | None:
    """Returns the folder with a source's configuration, with or without weights, or None if the hub cache lacks it.

    Raises:
        UsageError: The package or folder is missing, or no folder of `TLBENCH_DATA` has the source.
    """
    if source.startswith(PACKAGE):
        module, _, rest = source.removeprefix(PACKAGE).partition("/")
        spec = importlib.util.find_spec(module)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / rest / "config.json").is_file():
                return Path(place) / rest
        raise UsageError(f"the package {module} is not installed, or has no {rest}/config.json: install it")
    if source.startswith(DATA):
        return _data_folder(source.removeprefix(DATA), revision)
    if Path(source).is_absolute():
        if not (Path(source) / "config.json").is_file():
            raise UsageError(f"hf:{source}: the folder has no config.json any more")
        return Path(source)
    commit = cached_commit(source, revision or "main")
    snapshot = repository_folder(source, "model") / "snapshots" / commit if commit else None
    return snapshot if snapshot and (snapshot / "config.json").is_file() else None


def fetched_folder(source: str, revision: str | None, optional: Collection[str] = ()) -> Path:
    """Returns the folder with a source's files, as `local_folder` does, downloading missing files from the hub.

    Raises:
        UsageError: The files are not on this machine and cannot be downloaded, no revision is given, or the repository
            loads files that the revision does not pin.
    """
    # Checks the configuration that is on this machine, if any; one that is downloaded is checked below.
    _refuse_foreign(source, revision)
    folder = local_folder(source, revision, optional)
    if folder is not None:
        if revision and Path(source).is_absolute() and (current := digest(folder)) != revision:
            raise UsageError(
                f"hf:{source}@{revision}: its files have changed since it was named, their digest is now {current}: "
                "run again"
            )
        return folder
    if revision is None:
        raise UsageError(f"hf:{source} is not in the local hub cache: pin what to fetch, as hf:{source}@<commit>")
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        # Checked with one short request, because downloads retry for minutes when there is no network.
        HfApi().model_info(source, revision=revision, timeout=_TIMEOUT_SECONDS)
        # Small files are downloaded first, because a folder with weights counts as complete. They are requested under
        # the revision as given (which may be a branch), so that the cache records its commit; later requests use the
        # commit.
        texts = Path(snapshot_download(source, revision=revision, allow_patterns=[*_TEXT_FILES, MODEL_CARD]))
        refuse_foreign(texts, _title(source, revision))
        for name in optional:
            # A request for one file makes the cache note that the repository lacks it; a snapshot download does not.
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(source, name, revision=texts.name)
        weights = {"allow_patterns": ["model*.safetensors"], "ignore_patterns": ["*/*.s*"]}
        fetched = Path(snapshot_download(source, revision=texts.name, **weights))
    except UsageError:
        raise
    # The hub client lets exceptions of its HTTP library through, and that library differs between releases.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        name = f"hf:{source}@{revision}"
        raise UsageError(
            f"{name} {_why_not_here(source, revision, optional)}: {reason}: it needs config.json, the tokenizer or"
            f" image processor and model*.safetensors of this revision; run `tlbench fetch --backbone {name}` where the"
            " hub can be reached, or give a folder that has them, as hf:/path/to/folder"
        ) from error
    if lacks := _missing_files(fetched, optional):
        raise UsageError(f"hf:{source}@{revision} has no {lacks}")
    return fetched


def weight_files(folder: Path) -> list[Path]:
    """Returns the safetensors files with the weights, in order; empty if the folder has none.

    Raises:
        UsageError: The list of files is damaged, or names files of another folder.
    """
    # In this order, as transformers does.
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    if not (folder / _INDEX).is_file():
        return []
    shards = read_settings(folder, _INDEX).get("weight_map")
    names = {*shards.values()} if isinstance(shards, dict) and all(map(_is_name, shards.values())) else set()
    if not names:
        raise UsageError(f"{folder / _INDEX}: it must name safetensors files of its own folder")
    return [folder / name for name in sorted(names)]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.endswith(".safetensors") and Path(value).name == value and "\0" not in value


def content(source: str, revision: str | None, folder: Path) -> str:
    """Returns an identifier of the weights in a source's folder, equal for equal weights."""
    # A snapshot's folder is named by its commit, which pins more than a branch name would.
    snapshot = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    return f"{source}@{folder.name if snapshot else revision or digest(folder)}"


def _data_folder(rest: str, revision: str | None) -> Path:
    for root in data_roots():
        folder = root / rest
        if (folder / "config.json").is_file():
            if revision is not None and digest(folder) != revision:
                raise UsageError(f"{folder} has digest {digest(folder)}, not {revision}: name it hf:{folder} to use it")
            return folder
    raise UsageError(f"the model is not on this machine: set {DATA_VARIABLE} to a folder that holds {rest}/")


def _refuse_foreign(source: str, revision: str | None) -> None:
    held = held_folder(source, revision)
    if held is not None:
        refuse_foreign(held, _title(source, revision))


def _title(source: str, revision: str | None) -> str:
    return f"hf:{source}@{revision}" if revision else f"hf:{source}"


def _is_repository(source: str) -> bool:
    return not source.startswith((PACKAGE, DATA)) and not Path(source).is_absolute()


def _missing_files(snapshot: Path, optional: Collection[str]) -> str | None:
    """Returns the name of a file or kind of file that a hub snapshot lacks, or None if it is complete."""
    weights = weight_files(snapshot)
    if not ((snapshot / "config.json").is_file() and weights and all(path.is_file() for path in weights)):
        return _MODEL_FILES
    if not any(path.is_file() for pattern in INPUT_FILES for path in snapshot.glob(pattern)):
        return "tokenizer or image processor"
    # The hub cache keeps an empty file here for each file that the repository is known not to have.
    known_absent = snapshot.parents[1] / ".no_exist" / snapshot.name
    return next(
        (name for name in optional if not any((folder / name).is_file() for folder in (snapshot, known_absent))), None
    )


def _why_not_here(source: str, revision: str, optional: Collection[str]) -> str:
    """Returns the end of an error message, which says why a repository cannot be used from the local hub cache."""
    folder = held_folder(source, revision)
    missing = _missing_files(folder, optional) if folder else None
    if missing is None or missing == _MODEL_FILES:
        return "is not in the local hub cache and cannot be downloaded"
    alternative = ", or set readout=" if missing == POOLING else ""
    return f"was cached without checking for its {missing}; run `tlbench fetch` online{alternative}"


@lru_cache(maxsize=64)
def _digest(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    sha256 = hashlib.sha256()
    for name, _, _ in files:
        with open_regular(folder / name, links=links_inside(folder)) as file:
            sha256.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return sha256.hexdigest()[:12]
