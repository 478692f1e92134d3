"""`hub:<org>/<name>[@revision]`: a task made of a hub data set, read from the local hub cache."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tlbench import DataError, UsageError
from tlbench.catalog.hub_commits import COMMIT, newest_commit
from tlbench.catalog.names import canonical
from tlbench_data.division.dividing import ALL, refuse_shares
from tlbench_data.option_fields import option
from tlbench_data.own.own_splits import Part, contents, shared
from tlbench_data.own.own_task import OwnTask
from tlbench_data.readers import Hub
from tlbench_data.split_names import NAMES, SplitName

_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class HubTask(OwnTask):
    """A task made of a hub data set; `train`, `validation` and `test` give its split names if they are unusual."""

    config: str = option("", "configuration (subset) of the data set, if it has several")

    source = "the Hugging Face hub"
    licence = "as its card on the hub says"

    @property
    def datasets(self) -> tuple[str, ...]:  # type: ignore[override]
        """The name of the data set's repository on the hub, by which cards of backbones name their training data."""
        return (self._hub.repository,)

    def missing(self) -> str | None:
        """Returns a message on how to fetch the data set if the local hub cache lacks part of it, or None.

        Raises:
            DataError: The data set has several configurations, and none is given.
        """
        if self._hub.is_here(self.train or "train"):
            return None
        # The name includes its parameters: the command must repeat them to fetch the same tables.
        name = canonical(self.name, HubTask(self.name), self)
        return f"{name} is not in the local hub cache: run `tlbench fetch --task '{name}'`"

    def fetch(self) -> None:
        """Downloads missing tables to the hub cache.

        Raises:
            UsageError: They cannot be downloaded.
        """
        if self.missing():
            self._hub.fetch([name for split in NAMES for name in self._split_names(split)])

    def parts(self) -> list[Part]:
        """Returns the tables of each existing split.

        Raises:
            DataError: Tables are missing, one table is part of two splits, or there is no train or test split.
        """
        if reason := self.missing():
            raise DataError(reason)
        files_of: dict[str, list[Path]] = {}
        for split in NAMES:
            files = next((files for name in self._split_names(split) if (files := self._hub.files(name))), [])
            if self.file_of(split) and not files:
                raise DataError(f"{self.name}: no split {self.file_of(split)!r}")
            if files:
                files_of[split] = files
        others = contents(*(files for split, files in files_of.items() if split != "validation"))
        if not self.file_of("validation") and others & contents(files_of.get("validation", ())):
            # With [test=validation], the validation split is the test split, and validation is carved from train.
            del files_of["validation"]
        if twice := shared(files_of):
            raise DataError(f"{self.name}: {' and '.join(twice)} would be the same tables: name another split")
        refuse_shares(self.name, self.division, {split: "a split of that name" for split in files_of})
        if set(files_of) == {"train"}:
            return [Part(ALL, files_of["train"])]
        for split in ("train", "test"):
            if split not in files_of and not (split == "test" and self.division.test):
                raise DataError(f"{self.name}: no split {split!r}; name one, as [{split}=validation]")
        return [Part(split, files) for split, files in files_of.items()]

    def _pinned(self, given: str) -> str:
        # `given` is the name of a hub split, whose content the commit fixes.
        return given

    @property
    def _folder(self) -> Path:
        # Files named by options are searched for only in the working folder.
        return Path()

    def _split_names(self, split: SplitName) -> tuple[str, ...]:
        given = self.file_of(split)
        return (given,) if given else NAMES[split]

    @property
    def _hub(self) -> Hub:
        repository, _, revision = self.name.partition(":")[2].partition("@")
        return Hub(repository, self.config, revision or "main")


def resolve(text: str) -> HubTask:
    """Returns the task of a data set, pinned to the commit in the local hub cache, else to the newest one on the hub.

    Raises:
        UsageError: The text is not a repository name such as org/name.
    """
    repository, _, revision = text.partition("@")
    # Checked, because the name becomes a path in the cache.
    if not _REPOSITORY.fullmatch(repository) or ".." in text:
        raise UsageError(f"hub:{text}: not a data set name such as org/name")
    pinned = Hub(repository, revision=revision or "main").commit() or revision
    if not COMMIT.fullmatch(pinned):
        # If the hub cannot be reached, the name stays without a commit, and `missing` says what to do.
        with suppress(UsageError):
            pinned = newest_commit(repository, revision or "main", "dataset")
    return HubTask(f"hub:{repository}@{pinned}" if pinned else f"hub:{repository}")
