"""Where a model's files are, and what pins them.

A source is "package:<module>/<folder>" (files that came with an installed package), "data:<folder>" (one below a folder
that TLBENCH_DATA names), an absolute folder, or the id of a repository on the hub. Whatever it is, what is loaded in
the end is a folder on this machine.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tlbench import UsageError
from tlbench_hf.foreign_files import refuse_foreign

PACKAGE = "package:"
DATA = "data:"
DATA_VARIABLE = "TLBENCH_DATA"
SEED = "seed:"
"""Begins the name of weights that no file holds: they are drawn with the seed that follows."""
POOLING = "1_Pooling/config.json"
"""Says how sentence-transformers reads a model; most repositories have none."""
TOKENIZER = "tokenizer_config.json"
"""Says which marks a tokenizer has and how many tokens it gives; some repositories have none."""
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TEXT_FILES = ("*.model", "*.txt", "*.json", POOLING)
_READERS = ("tokenizer.json", "vocab.*", "*.model", "preprocessor_config.json", "processor_config.json")
_WEIGHTS = "model.safetensors"
_MODEL = "config.json with safetensors weights"
_INDEX = "model.safetensors.index.json"
_REACH_SECONDS = 10


def pin(text: str) -> tuple[str, str | None]:
    """Returns the source and the revision that "<repo>[@revision]" or "<folder>[@revision]" stands for.

    A folder's revision is a digest of its content. A repository's is the commit that the local hub cache has for
    it, or what was given, or None: nothing is asked of the network.

    Raises:
        UsageError: No such folder, no model in it, one that has others loaded, other content than the revision says,
            or no such name.
    """
    whole = Path(text).expanduser()
    if text and whole.is_dir():
        return str(whole.resolve()), digest(whole.resolve())
    source, at, revision = text.rpartition("@")
    if not at:
        source, revision = text, ""
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        found = digest(folder.resolve())
        if found != revision:
            raise UsageError(f"hf:{text}: the folder holds {found} now; name it without @{revision} to use that")
        return str(folder.resolve()), found
    if source.startswith(("/", ".", "~")) or not _REPOSITORY.fullmatch(source):
        raise UsageError(f"hf:{text}: neither a folder nor the id of a repository such as org/name")
    pinned = _cached_commit(source, revision or "main") or revision or None
    _refuse_foreign(source, pinned)
    return source, pinned


def digest(folder: Path) -> str:
    """Returns twelve hex digits over configuration, weights and tokenizer of a model folder.

    Raises:
        UsageError: The folder holds no configuration, or has loaded what is not in the digest.
    """
    refuse_foreign(folder, f"hf:{folder}")
    if not (folder / "config.json").is_file():
        raise UsageError(f"hf:{folder}: no config.json in this folder")
    paths = {path for pattern in _TEXT_FILES for path in folder.glob(pattern)}.union(weight_files(folder))
    stats = [(str(path.relative_to(folder)), path.stat()) for path in sorted(paths) if path.is_file()]
    return _digest(folder, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats))


def local_folder(source: str, revision: str | None, known: Collection[str] = ()) -> Path | None:
    """Returns the folder with the files of a source, or None if it is a repository that is not all on this machine.

    The hub cache may have been filled by others, with fewer files. Of the files `known` it must have either the file
    or the mark that the repository has none: otherwise what is done would depend on who filled it.

    Raises:
        UsageError: The package or the folder is gone, or no folder of data holds it.
    """
    folder = held_folder(source, revision)
    if folder is None or (_is_repository(source) and _lacking(folder, known)):
        return None
    return folder


def held_folder(source: str, revision: str | None) -> Path | None:
    """Returns the folder with the configuration of a source, whatever else is there; None if it is not here.

    Raises:
        UsageError: The package or the folder is gone, or no folder of data holds it.
    """
    if source.startswith(PACKAGE):
        module, _, rest = source.removeprefix(PACKAGE).partition("/")
        spec = importlib.util.find_spec(module)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / rest / "config.json").is_file():
                return Path(place) / rest
        raise UsageError(f"the package {module} is not installed, or holds no {rest}/config.json")
    if source.startswith(DATA):
        return _data_folder(source.removeprefix(DATA), revision)
    if Path(source).is_absolute():
        if not (Path(source) / "config.json").is_file():
            raise UsageError(f"hf:{source}: no model in this folder any more")
        return Path(source)
    commit = _cached_commit(source, revision or "main")
    snapshot = _cache(source) / "snapshots" / commit if commit else None
    return snapshot if snapshot and (snapshot / "config.json").is_file() else None


def fetched_folder(source: str, revision: str | None, known: Collection[str] = ()) -> Path:
    """Returns the folder with the files of a source as `local_folder` has it, fetched from the hub if need be.

    Raises:
        UsageError: It is not here and cannot be fetched, nothing says which revision to fetch, or it has loaded what
            the revision does not pin.
    """
    _refuse_foreign(source, revision)
    folder = local_folder(source, revision, known)
    if folder is not None:
        return folder
    if revision is None:
        raise UsageError(f"hf:{source} is not in the local hub cache: pin what to fetch, as hf:{source}@<commit>")
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        # Downloads try again and again where there is no network; this asks once.
        HfApi().model_info(source, revision=revision, timeout=_REACH_SECONDS)
        # The weights last: a folder that has them counts as complete. The revision as it was given first: the cache
        # then knows the commit by that name too.
        texts = Path(snapshot_download(source, revision=revision, allow_patterns=list(_TEXT_FILES)))
        refuse_foreign(texts, _title(source, revision))
        for name in known:
            # A download of many files leaves no mark of those that are not there; one of one file does.
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(source, name, revision=texts.name)
        weights = {"allow_patterns": ["model*.safetensors"], "ignore_patterns": ["*/*.s*"]}
        fetched = Path(snapshot_download(source, revision=texts.name, **weights))
    except UsageError:
        raise
    except Exception as error:  # the hub's client raises what its HTTP library does, and it changes
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"hf:{source}@{revision} {_not_here(source, revision, known)}: {reason}") from error
    if lacks := _lacking(fetched, known):
        raise UsageError(f"hf:{source}@{revision} has no {lacks}")
    return fetched


def weight_files(folder: Path) -> list[Path]:
    """Returns the files that hold the weights, in order; none if the folder has no safetensors weights."""
    if (folder / _INDEX).is_file():
        shards = json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        return [folder / shard for shard in sorted(set(shards))]
    return [folder / _WEIGHTS] if (folder / _WEIGHTS).is_file() else []


def content(source: str, revision: str | None, folder: Path) -> str:
    """Returns what names the weights of a folder that belongs to this source; equal for equal weights."""
    snapshot = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    return f"{source}@{folder.name if snapshot else revision or digest(folder)}"


def _data_folder(rest: str, revision: str | None) -> Path:
    for root in os.environ.get(DATA_VARIABLE, "").split(os.pathsep):
        folder = Path(root.strip()).expanduser() / rest
        if root.strip() and (folder / "config.json").is_file():
            if revision is not None and digest(folder) != revision:
                raise UsageError(f"{folder} holds {digest(folder)} and not {revision}: name it hf:{folder} to use it")
            return folder
    raise UsageError(f"no model is on this machine: set {DATA_VARIABLE} to a folder that holds {rest}/")


def _refuse_foreign(source: str, revision: str | None) -> None:
    held = held_folder(source, revision)
    if held is not None:
        refuse_foreign(held, _title(source, revision))


def _title(source: str, revision: str | None) -> str:
    return f"hf:{source}@{revision}" if revision else f"hf:{source}"


def _is_repository(source: str) -> bool:
    return not source.startswith((PACKAGE, DATA)) and not Path(source).is_absolute()


def _lacking(snapshot: Path, known: Collection[str]) -> str | None:
    """Returns what a snapshot of the hub cache is without, in words; None if it has all that is needed."""
    weights = weight_files(snapshot)
    if not ((snapshot / "config.json").is_file() and weights and all(path.is_file() for path in weights)):
        return _MODEL
    if not any(path.is_file() for pattern in _READERS for path in snapshot.glob(pattern)):
        return "tokenizer or image processor"
    absent = snapshot.parents[1] / ".no_exist" / snapshot.name
    return next((name for name in known if not any((place / name).is_file() for place in (snapshot, absent))), None)


def _not_here(source: str, revision: str, known: Collection[str]) -> str:
    held = held_folder(source, revision)
    lacks = _lacking(held, known) if held else None
    if lacks is None or lacks == _MODEL:
        return "is not in the local hub cache, nor to be had"
    way_out = ", or set readout=" if lacks == POOLING else ""
    return f"was cached without asking for its {lacks}: run `tlbench fetch` online{way_out}; it is not to be had now"


def _cache(repository: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"


def _cached_commit(repository: str, revision: str) -> str | None:
    if _COMMIT.fullmatch(revision):
        return revision
    reference = _cache(repository) / "refs" / revision
    if ".." in revision or not reference.is_file():
        return None
    commit = reference.read_text(encoding="utf-8").strip()
    return commit if _COMMIT.fullmatch(commit) else None


@lru_cache(maxsize=64)
def _digest(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, _, _ in files:
        with (folder / name).open("rb") as file:
            whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()[:12]
