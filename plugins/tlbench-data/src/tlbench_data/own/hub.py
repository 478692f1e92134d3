"""A task made of a data set on the hub: `hub:<org>/<name>[@revision]`, read from the local hub cache."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from tlbench import DataError, UsageError
from tlbench_data.own.own_splits import ALL, Part, contents, shared
from tlbench_data.own.own_task import OwnTask
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
        """Returns that the data set is not all in the local hub cache and how to get it, or None.

        Raises:
            DataError: It has several configurations, and none is named.
        """
        if self._hub.is_here(self.train or "train"):
            return None
        _, *parameters = fields(self)
        said = [f"{p.name}={value}" for p in parameters if (value := getattr(self, p.name)) != p.default]
        called = f"{self.name}[{','.join(sorted(said))}]" if said else self.name
        return f"{called} is not in the local hub cache: run `tlbench fetch --task '{called}'`"

    def fetch(self) -> None:
        """Brings the tables into the hub cache; what is there is left alone.

        Raises:
            UsageError: They cannot be had.
        """
        if self.missing():
            self._hub.fetch([name for split in _USUAL for name in self._names(split)])

    def parts(self) -> list[Part]:
        """Returns the tables of each split that there is.

        Raises:
            DataError: They are not here, one would serve two splits, or the test split is not there.
        """
        if reason := self.missing():
            raise DataError(reason)
        found = {}
        for split in _USUAL:
            files = next((files for name in self._names(split) if (files := self._hub.files(name))), [])
            if getattr(self, split) and not files:
                raise DataError(f"{self.name}: no split {getattr(self, split)!r}")
            if files:
                found[split] = files
        others = contents(*(files for split, files in found.items() if split != "validation"))
        if not self.validation and others & contents(found.get("validation", ())):
            # With [test=validation] the validation split is the test: validation is carved from train.
            del found["validation"]
        if twice := shared(found):
            raise DataError(f"{self.name}: the same tables would be {' and '.join(twice)}: name another split")
        if set(found) == {"train"}:
            return [Part(ALL, found["train"])]
        for split in ("train", "test"):
            if split not in found:
                raise DataError(f"{self.name}: no split {split!r}; name one, as [{split}=validation]")
        return [Part(split, files) for split, files in found.items()]

    def _names(self, split: str) -> tuple[str, ...]:
        said: str = getattr(self, split)
        return (said,) if said else _USUAL[split]

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
