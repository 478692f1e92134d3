"""A task made of a data set on the hub: `hub:<org>/<name>[@revision]`, read from the local hub cache."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlbench import DataError, UsageError
from tlbench_data.own.parts import ALL, Part
from tlbench_data.own.task import OwnTask
from tlbench_data.readers import Hub

_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")
_USUAL = {"train": ("train",), "validation": ("validation", "valid", "dev", "val"), "test": ("test",)}


@dataclass(frozen=True)
class HubTask(OwnTask):
    """A task made of a data set on the hub; `train`, `validation` and `test` name its splits where they differ."""

    config: str = ""
    """A configuration of the data set, where it has several."""

    source = "the Hugging Face hub"
    licence = "as its card on the hub says"

    def missing(self) -> str | None:
        """Returns that the data set is not in the local hub cache and how to get it, or None."""
        if self._hub.files(self.train or "train"):
            return None
        return f"{self.name} is not in the local hub cache: run `tlbench fetch --task '{self.name}'`"

    def fetch(self) -> None:
        """Brings the tables into the hub cache; what is there is left alone.

        Raises:
            UsageError: They cannot be had.
        """
        if self.missing():
            self._hub.fetch()

    def parts(self) -> list[Part]:
        """Returns the tables of each split that there is.

        Raises:
            DataError: They are not here, or the test split is not.
        """
        if reason := self.missing():
            raise DataError(reason)
        found = {}
        for split, names in _USUAL.items():
            said = getattr(self, split)
            files = next((files for name in ((said,) if said else names) if (files := self._hub.files(name))), [])
            if said and not files:
                raise DataError(f"{self.name}: no split {said!r}")
            if files:
                found[split] = files
        if set(found) == {"train"}:
            return [Part(ALL, found["train"])]
        if "test" not in found:
            raise DataError(f"{self.name}: no split 'test'; name one, as [test=validation]")
        return [Part(split, files) for split, files in found.items() if not self._is_twice(split)]

    def _is_twice(self, split: str) -> bool:
        # With [test=validation] the validation split is the test: validation is carved from train.
        return split == "validation" and not self.validation and self.test in _USUAL["validation"]

    @property
    def _hub(self) -> Hub:
        repository, _, revision = self.name.partition(":")[2].partition("@")
        return Hub(repository, self.config, revision or "main")


def resolve(text: str) -> HubTask:
    """Returns the task of a data set, pinned to the commit that the local hub cache has for it, if any.

    Raises:
        UsageError: No such name can be.
    """
    repository, _, revision = text.partition("@")
    if not _REPOSITORY.fullmatch(repository) or ".." in text:
        raise UsageError(f"hub:{text}: not the id of a data set such as org/name")
    commit = Hub(repository, revision=revision or "main").commit()
    pinned = commit or revision
    return HubTask(f"hub:{repository}@{pinned}" if pinned else f"hub:{repository}")
