"""Data sets of the Hugging Face hub: tables in a repository, read from the local hub cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tlbench import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")
_SUFFIXES = ("parquet", "jsonl", "json", "csv")
_REACH_SECONDS = 10
CONVERTED = "refs/convert/parquet"
"""The branch on which the hub keeps Parquet of data sets that come as something else."""


@dataclass(frozen=True)
class Hub:
    """A data set on the hub, or one configuration of it."""

    repository: str
    config: str = ""
    revision: str = "main"
    """A commit pins it; a branch is what the cache took it for when it was fetched."""

    def commit(self) -> str | None:
        """Returns the commit that the revision is on this machine, or None; nothing is asked of the network."""
        if _COMMIT.fullmatch(self.revision):
            return self.revision
        reference = self._folder() / "refs" / self.revision
        if ".." in self.revision or not reference.is_file():
            return None
        commit = reference.read_text(encoding="utf-8").strip()
        return commit if _COMMIT.fullmatch(commit) else None

    def snapshot(self) -> Path | None:
        """Returns the folder with the files of the revision, or None if it was not fetched."""
        commit = self.commit()
        folder = self._folder() / "snapshots" / commit if commit else None
        return folder if folder and folder.is_dir() else None

    def files(self, split: str) -> list[Path]:
        """Returns the tables of a split in order; none if they are not all on this machine."""
        folder = self.snapshot()
        if folder is None:
            return []
        for suffix in _SUFFIXES:
            found = sorted(path for path in folder.rglob(f"*.{suffix}") if self._is_of(path.relative_to(folder), split))
            if found:
                shards = {int(match[2]) for path in found if (match := _SHARD.search(path.stem))}
                return found if not shards or shards == {len(found)} else []
        return []

    def fetch(self) -> None:
        """Brings the tables into the hub cache; what is there is left alone, what was begun goes on.

        Raises:
            UsageError: They cannot be had.
        """
        from huggingface_hub import HfApi, snapshot_download

        patterns = [f"*.{suffix}" for suffix in _SUFFIXES]
        if self.config:
            patterns = [f"{folder}{self.config}/{name}" for folder in ("", "data/") for name in patterns]
        try:
            # Downloads try again and again where there is no network; this asks once.
            HfApi().dataset_info(self.repository, revision=self.revision, timeout=_REACH_SECONDS)
            snapshot_download(self.repository, repo_type="dataset", revision=self.revision, allow_patterns=patterns)
        except Exception as error:  # the hub's client raises what its HTTP library does, and it changes
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"hub:{self.repository}@{self.revision} is not to be had: {reason}") from error

    def _folder(self) -> Path:
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"datasets--{self.repository.replace('/', '--')}"

    def _is_of(self, path: Path, split: str) -> bool:
        # <config>/train-00000-of-00001.parquet, data/train.csv, or <config>/train/0000.parquet on the converted branch.
        folders = path.parts[:-1]
        if self.config and self.config not in folders:
            return False
        return _SHARD.sub("", path.stem) == split or (split in folders and path.stem.isdigit())
