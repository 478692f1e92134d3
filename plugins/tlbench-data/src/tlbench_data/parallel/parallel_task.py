"""`parallel:<source>+<target>`: a task of translation, or of any text from a text, made of files aligned by line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tlbench import DataError, UsageError
from tlbench_data.division.dividing import ALL, refuse_shares
from tlbench_data.option_fields import option
from tlbench_data.own.own_splits import Part, shared
from tlbench_data.own.own_task import OwnTask
from tlbench_data.parallel import parallel_files as files

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ParallelTask(OwnTask):
    """Two text files with a sentence on each line and its translation on the same line of the other.

    The name has a source and a target file, or a folder of pairs called `train.<src>` and `train.<tgt>`, and so on.
    `train`, `validation` and `test` are other pairs: the common part of their names, or `<source>+<target>`.
    """

    src: str = option("", "ending of the source's files in a folder, such as en")
    tgt: str = option("", "ending of the target's files in a folder, such as de")

    only_kind: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if (self.src or self.tgt) and not self._is_folder:
            raise UsageError(f"{self.name}: src= and tgt= choose files of a folder; two files are source+target")
        super().__post_init__()

    def parts(self) -> list[Part]:
        """Returns the source and the target file of each split, or of one part called `all` if they are not split.

        Raises:
            DataError: The train or test split lacks its pair, two splits share a file, or several pairs fit one split.
        """
        given = {split: self._pair(pair) for split in _SPLITS if (pair := self.file_of(split))}
        folder, note = self._folder, ""
        if self._is_folder:
            stems, (src, tgt) = files.stems_in(folder), self._direction
            note = f"{src} to {tgt}"
            given = files.pairs_of_splits(stems, src, tgt, folder, given)
            if not given:
                return [Part(ALL, files.only_pair(stems, src, tgt, folder), note)]
        elif not given:
            return [Part(ALL, self._named_pair, self._direction_note)]
        else:
            given, note = {"train": self._named_pair, **given}, self._direction_note
        if twice := shared(given):
            raise DataError(f"{folder}: {' and '.join(twice)} share a file")
        refuse_shares(self.name, self.division, {split: pair[0].name for split, pair in given.items()})
        if set(given) == {"train"}:
            return [Part(ALL, given["train"], note)]
        for split in ("train", "test"):
            if split not in given and not (split == "test" and self.division.test):
                raise DataError(
                    f"{folder}: no pair is called {split}; name one, as [{split}=NAME] or [{split}=source+target]"
                )
        return [Part(split, given[split], note if split == "train" else "") for split in _SPLITS if split in given]

    @property
    def _paths(self) -> tuple[Path, ...]:
        return files.located(self.name.partition(":")[2])[0]

    @property
    def _is_folder(self) -> bool:
        return len(self._paths) == 1

    @property
    def _folder(self) -> Path:
        return files.folder_of(self._paths)

    @property
    def _named_pair(self) -> files.Pair:
        source, target = self._paths
        return source, target

    @property
    def _direction(self) -> tuple[str, str]:
        """The endings of the source and target files, such as ("en", "de")."""
        if not self._is_folder:
            source, target = map(files.ending_of, self._paths)
            return source, target
        return files.direction(files.stems_in(self._folder), self.src, self.tgt, self._folder)

    @property
    def _direction_note(self) -> str:
        source, target = self._named_pair
        return f"{source.name} to {target.name}"

    def _pinned(self, given: str) -> str:
        beside = "+".join(str(self._folder / Path(side).expanduser()) for side in given.split("+"))
        for text in (given, beside):
            if "+" in text and files.is_pair(text):
                return files.pinned(text)
        pair = [self._file(given, ending) for ending in self._direction]
        return files.pinned("+".join(map(str, pair)))

    def _file(self, stem: str, ending: str) -> Path:
        found = [self._folder / f"{stem}.{ending}{packed}" for packed in ("", ".gz")]
        if file := next((file for file in found if file.is_file()), None):
            return file
        raise UsageError(f"{self.name}: {stem}: no file {found[0]}; give the name without its ending, or source+target")

    def _pair(self, pinned: str) -> files.Pair:
        source, target = files.located(pinned)[0]
        return source, target

    def _usual_metrics(self) -> tuple[str, ...]:
        return ("bleu", "chrf", "rougeL")


def resolve(text: str) -> ParallelTask:
    """Returns the task of two files or a folder, pinned to their present content.

    Raises:
        UsageError: There are no such files, or they have changed since they were pinned.
    """
    return ParallelTask(f"parallel:{files.pinned(text)}")
