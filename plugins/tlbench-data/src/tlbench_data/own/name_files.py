"""Lists of names that an option gives as a+b+c, or as a file with one name on each line."""

from __future__ import annotations

import re
from pathlib import Path

from tlbench import DataError, UsageError
from tlbench_data.name_lists import joined_names
from tlbench_data.own.named_files import beside, pin, unpinned
from tlbench_data.readers import lines

_SUFFIXES = (".txt", ".labels", ".names", ".list")
_PINNED = re.compile(r"/.*@[0-9a-f]{12}", re.DOTALL)


def pinned_names(name: str, option: str, folder: Path, text: str) -> str:
    """Returns a list of names unchanged, or the path of a file of names as "<absolute path>@<digest>".

    Args:
        name: Name of the task, for messages.
        option: Name of the option.
        folder: Folder in which a file is searched for, besides the working folder.
        text: Value of the option; a single name means a file if a file of that name exists.

    Raises:
        UsageError: There is no such file, or it has changed since it was pinned.
    """
    is_one = len(joined_names(text)) == 1
    is_named = Path(unpinned(text)).suffix.lower() in _SUFFIXES
    if not is_one and not is_named:
        return text
    found = beside(folder, text)
    if unpinned(found).is_file() or Path(found).is_file():
        return pin(name.partition(":")[0], found)
    if is_one and is_named:
        raise UsageError(f"{name}: {option}={text}: no such file, beside the data or in the working folder")
    return text


def names_in(text: str) -> tuple[str, ...]:
    """Returns the names in a result of `pinned_names`: those of the list, or the lines of the file but empty ones.

    Raises:
        UsageError: The file cannot be read, has no names, or has NUL characters.
    """
    if not _PINNED.fullmatch(text):
        return joined_names(text)
    path = unpinned(text)
    try:
        names = tuple(line.strip() for _, line in lines(path) if line.strip())
    except DataError as error:
        raise UsageError(str(error)) from None
    if not names:
        raise UsageError(f"{path}: it has no names, one on each line")
    if any("\0" in name for name in names):
        raise UsageError(f"{path}: a NUL character in a name: the file is damaged, or in another encoding than UTF-8")
    return names


def check_classes(name: str, text: str) -> None:
    """Refuses a list or file of classes with fewer than two different names.

    Raises:
        UsageError: There are fewer; the message begins with the name of the task.
    """
    names = names_in(text)
    if len(set(names)) < max(2, len(names)) or "" in names:
        raise UsageError(f"{name}: labels={text}: give two or more different classes, as a+b+c or a file of them")
