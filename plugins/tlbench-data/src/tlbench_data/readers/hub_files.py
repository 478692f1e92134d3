"""Finds and downloads the tables of hub data sets; gives their paths in the local hub cache."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from tlbench import DataError, UsageError
from tlbench.catalog.hub_commits import cached_commit, repository_folder
from tlbench_data.readers.rows import listed

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})$")
_SUFFIXES = ("parquet", "jsonl", "json", "csv")
_TIMEOUT_SECONDS = 10
CONVERTED = "refs/convert/parquet"
"""Branch with the hub's own conversion to Parquet of data sets in other formats."""


@dataclass(frozen=True)
class Hub:
    """A hub data set, or one configuration of it."""

    repository: str
    config: str = ""
    """Name of the configuration, which is its folder in the repository; "" for all folders."""
    revision: str = "main"
    """A commit, or a branch, which means the commit that it had when it was last fetched to the cache."""

    def commit(self) -> str | None:
        """Returns the commit of the revision in the local cache, or None; never uses the network."""
        return cached_commit(self.repository, self.revision, "dataset")

    def snapshot(self) -> Path | None:
        """Returns the folder with the revision's files, or None if it was not fetched."""
        commit = self.commit()
        folder = self._folder() / "snapshots" / commit if commit else None
        return folder if folder and folder.is_dir() else None

    def files(self, split: str) -> list[Path]:
        """Returns the paths of a split's tables in order; empty if some of them are not on this machine.

        Raises:
            DataError: Several configurations have the split.
        """
        folder = self.snapshot()
        if folder is None:
            return []
        local = _tables(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        paths = self._tables_of(local | self._published_tables(), split)
        shards = {int(match[2]) for path in paths if (match := _SHARD.search(path.stem))}
        # Shard names contain the number of shards, which reveals missing ones even if `fetch` has written no list.
        is_whole = local.issuperset(paths) and (not shards or shards == {len(paths)})
        return [folder / path for path in paths] if is_whole else []

    def is_here(self, split: str) -> bool:
        """Returns whether all tables that `fetch` listed are on this machine; without a list, whether the split's are.

        Raises:
            DataError: Several configurations have the split.
        """
        files, published = self.files(split), self._published_tables()
        folder = self.snapshot()
        if folder is None or not published:
            return bool(files)
        return all((folder / path).is_file() for path in published)

    def fetch(self, splits: Iterable[str] = ()) -> None:
        """Downloads the tables to the hub cache, skipping existing files and resuming an interrupted download.

        Args:
            splits: Names of the splits that will be read; none may occur in several configurations.

        Raises:
            UsageError: They cannot be downloaded.
            DataError: There are no tables, or several configurations have a split.
        """
        from huggingface_hub import HfApi, snapshot_download

        try:
            # Checked with one short request, because downloads retry for minutes when there is no network.
            api = HfApi()
            commit = str(api.dataset_info(self.repository, revision=self.revision, timeout=_TIMEOUT_SECONDS).sha)
            names = api.list_repo_files(self.repository, repo_type="dataset", revision=self.revision)
            self._check_tables(_tables(names), splits)
            self._write_list(commit, names)
            snapshot_download(
                self.repository, repo_type="dataset", revision=self.revision, allow_patterns=self._patterns()
            )
        except UsageError:
            raise
        # The hub client lets exceptions of its HTTP library through, and that library differs between releases.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(f"{self._title} cannot be downloaded: {reason}") from error

    @property
    def _title(self) -> str:
        return f"hub:{self.repository}@{self.revision}"

    def _folder(self) -> Path:
        return repository_folder(self.repository, "dataset")

    def _patterns(self) -> list[str]:
        folders = (f"{self.config}/", f"data/{self.config}/") if self.config else ("",)
        # fnmatch's * crosses slashes, so these patterns reach into subfolders too.
        return [f"{folder}*.{suffix}" for folder in folders for suffix in _SUFFIXES]

    def _matching(self, tables: Iterable[PurePosixPath]) -> set[PurePosixPath]:
        patterns = self._patterns()
        return {path for path in tables if any(fnmatch(str(path), pattern) for pattern in patterns)}

    def _check_tables(self, tables: Collection[PurePosixPath], splits: Iterable[str]) -> None:
        matching = self._matching(tables)
        if not matching:
            what = f"no table of a configuration {self.config!r}" if self.config else "no table"
            available = f"; there is {_named({str(path.parent) for path in tables})}" if tables else ""
            raise DataError(f"{self._title} has {what} ({', '.join(_SUFFIXES)}){available}")
        for split in splits:
            self._tables_of(matching, split)

    def _write_list(self, commit: str, names: Iterable[str]) -> None:
        # Written before the download, so that files which an interruption left out are known to be missing.
        path = self._list_path(commit)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".draft")
        temporary.write_text("".join(f"{path}\n" for path in sorted(_tables(names))), encoding="utf-8")
        temporary.replace(path)

    def _list_path(self, commit: str) -> Path:
        return self._folder() / ".tlbench" / f"{commit}.txt"

    def _published_tables(self) -> set[PurePosixPath]:
        """Returns the tables of this revision on the hub, as listed by `fetch`; empty if it has written no list."""
        commit = self.commit()
        path = self._list_path(commit) if commit else None
        if path is None or not path.is_file():
            return set()
        return self._matching(_tables(path.read_text(encoding="utf-8").splitlines()))

    def _tables_of(self, tables: Collection[PurePosixPath], split: str) -> list[PurePosixPath]:
        """Returns the tables of a split in order, in the first format that has it.

        Raises:
            DataError: Several configurations have the split.
        """
        # Parquet first: it keeps the types of columns and the names of classes.
        for suffix in _SUFFIXES:
            paths = sorted(path for path in tables if path.suffix == f".{suffix}" and self._is_of_split(path, split))
            folders = {"/".join(part for part in path.parts[:-1] if part != split) for path in paths}
            if len(folders) > 1:
                raise DataError(
                    f"{self._title}: several configurations have {split}: set [config=...] to one of {_named(folders)}"
                )
            if paths:
                return paths
        return []

    def _is_of_split(self, path: PurePosixPath, split: str) -> bool:
        # Three usual layouts: <config>/train-00000-of-00001.parquet, data/train.csv, and <config>/train/0000.parquet on
        # the converted branch.
        folders = path.parts[:-1]
        if self.config and f"/{self.config}/" not in f"/{'/'.join(folders)}/":
            return False
        return _SHARD.sub("", path.stem) == split or (split in folders and path.stem.isdigit())


def _tables(names: Iterable[str]) -> set[PurePosixPath]:
    return {path for name in names if (path := PurePosixPath(name)).suffix.removeprefix(".") in _SUFFIXES}


def _named(folders: Iterable[str]) -> str:
    return listed(sorted(folder for folder in folders if folder not in ("", ".")))
