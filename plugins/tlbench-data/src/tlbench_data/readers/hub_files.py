"""Data sets of the Hugging Face hub: tables in a repository, read from the local hub cache."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from tlbench import DataError, UsageError
from tlbench_data.readers.rows import listed

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
    """The folder of a configuration."""
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
        """Returns the tables of a split in order; none if they are not all on this machine.

        Raises:
            DataError: More than one configuration has the split.
        """
        folder = self.snapshot()
        if folder is None:
            return []
        here = _tables(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        found = self._of(here | self._published(), split)
        shards = {int(match[2]) for path in found if (match := _SHARD.search(path.stem))}
        is_whole = here.issuperset(found) and (not shards or shards == {len(found)})
        return [folder / path for path in found] if is_whole else []

    def is_here(self, split: str) -> bool:
        """Says whether all tables are on this machine, or those of the split where `fetch` was not what brought them.

        Raises:
            DataError: More than one configuration has the split.
        """
        found, published = self.files(split), self._published()
        folder = self.snapshot()
        if folder is None or not published:
            return bool(found)
        return all((folder / path).is_file() for path in published)

    def fetch(self, splits: Iterable[str] = ()) -> None:
        """Brings the tables into the hub cache; what is there is left alone, what was begun goes on.

        Args:
            splits: What will be read, which must not be in several configurations.

        Raises:
            UsageError: They cannot be had.
        """
        from huggingface_hub import HfApi, snapshot_download

        try:
            # Downloads try again and again where there is no network; this asks once.
            api = HfApi()
            commit = str(api.dataset_info(self.repository, revision=self.revision, timeout=_REACH_SECONDS).sha)
            names = api.list_repo_files(self.repository, repo_type="dataset", revision=self.revision)
            self._check(_tables(names), splits)
            self._note(commit, names)
            snapshot_download(
                self.repository, repo_type="dataset", revision=self.revision, allow_patterns=self._patterns()
            )
        except UsageError:
            raise
        except Exception as error:  # the hub's client raises what its HTTP library does, and it changes
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"{self._title} is not to be had: {reason}") from error

    @property
    def _title(self) -> str:
        return f"hub:{self.repository}@{self.revision}"

    def _folder(self) -> Path:
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE) / f"datasets--{self.repository.replace('/', '--')}"

    def _patterns(self) -> list[str]:
        folders = (f"{self.config}/", f"data/{self.config}/") if self.config else ("",)
        return [f"{folder}*.{suffix}" for folder in folders for suffix in _SUFFIXES]

    def _wanted(self, tables: Iterable[PurePosixPath]) -> set[PurePosixPath]:
        patterns = self._patterns()
        return {path for path in tables if any(fnmatch(str(path), pattern) for pattern in patterns)}

    def _check(self, tables: Collection[PurePosixPath], splits: Iterable[str]) -> None:
        wanted = self._wanted(tables)
        if not wanted:
            what = f"no table of a configuration {self.config!r}" if self.config else "no table"
            there = f"; there is {_named({str(path.parent) for path in tables})}" if tables else ""
            raise DataError(f"{self._title} has {what} ({', '.join(_SUFFIXES)}){there}")
        for split in splits:
            self._of(wanted, split)

    def _note(self, commit: str, names: Iterable[str]) -> None:
        # Written before anything is brought, so that what an interruption left undone is known to be missing.
        place = self._noted(commit)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(".draft")
        draft.write_text("".join(f"{path}\n" for path in sorted(_tables(names))), encoding="utf-8")
        draft.replace(place)

    def _noted(self, commit: str) -> Path:
        return self._folder() / ".tlbench" / f"{commit}.txt"

    def _published(self) -> set[PurePosixPath]:
        """Returns the tables that the hub has of this revision; none where nobody noted them."""
        commit = self.commit()
        place = self._noted(commit) if commit else None
        if place is None or not place.is_file():
            return set()
        return self._wanted(_tables(place.read_text(encoding="utf-8").splitlines()))

    def _of(self, tables: Collection[PurePosixPath], split: str) -> list[PurePosixPath]:
        """Returns the tables of a split in order, of the first format that it has."""
        for suffix in _SUFFIXES:
            found = sorted(path for path in tables if path.suffix == f".{suffix}" and self._is_of(path, split))
            places = {"/".join(part for part in path.parts[:-1] if part != split) for path in found}
            if len(places) > 1:
                raise DataError(
                    f"{self._title}: several configurations have {split}: say [config=...]; there is {_named(places)}"
                )
            if found:
                return found
        return []

    def _is_of(self, path: PurePosixPath, split: str) -> bool:
        # <config>/train-00000-of-00001.parquet, data/train.csv, or <config>/train/0000.parquet on the converted branch.
        folders = path.parts[:-1]
        if self.config and f"/{self.config}/" not in f"/{'/'.join(folders)}/":
            return False
        return _SHARD.sub("", path.stem) == split or (split in folders and path.stem.isdigit())


def _tables(names: Iterable[str]) -> set[PurePosixPath]:
    return {path for name in names if (path := PurePosixPath(name)).suffix.removeprefix(".") in _SUFFIXES}


def _named(folders: Iterable[str]) -> str:
    return listed(sorted(folder for folder in folders if folder not in ("", ".")))
