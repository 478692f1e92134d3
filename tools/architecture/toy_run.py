"""Runs one toy cell and records which functions are called; started as a script by `trace.py`.

python -P toy_run.py CHECKOUT OUTPUT, with the packages of the checkout on PYTHONPATH. It runs the public command
`tlbench run --executor inline`, so that it works on older checkouts too.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

CHECKOUT, OUTPUT = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
TRIALS = 3
COMMAND = (
    f"tlbench run -b toy -t toy-tone -S toy-tune --trials {TRIALS} --seeds 1 --executor inline --jobs 1 --device cpu"
)
DEPTH = 3
"""Maximum nesting at which the cell is looked for in an argument; a list of rows, each with the cell's id, is two."""
FEW = 4
"""Number of items of a list or mapping that are searched; there is only one cell, so it is among the first."""


class Recorder:
    """Records each call and return of a function of the checkout, in the main thread."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str, bool]] = []
        """("call" or "return", file, function, file of the nearest caller in the checkout, whether the cell is passed).

        The caller is recorded only for calls with the cell as an argument, and is empty otherwise."""
        self._files: dict[str, str | None] = {}
        self._ids: set[str] = set()

    def record(self, frame: FrameType, event: str, value: object) -> None:
        """Records an event; a callback for `sys.setprofile`, whose last argument is the returned or yielded value."""
        if event not in {"call", "return"}:
            return
        code = frame.f_code
        file = self._file(code.co_filename)
        # Importing a module runs its body as a function of this name.
        if file is None or code.co_name == "<module>":
            return
        if event == "call":
            passed = self._has_cell_argument(frame)
            self.events.append((event, file, code.co_name, self._caller(frame) if passed else "", passed))
        else:
            # A returned str that equals an id may be any text, such as a part of a path.
            returned = not isinstance(value, str) and self._contains_cell(value, DEPTH)
            self.events.append((event, file, code.co_name, "", returned and not self._has_cell_argument(frame)))

    def _file(self, name: str) -> str | None:
        """Returns a file's path in the checkout, or None if it is not part of the core or a plugin."""
        if name not in self._files:
            path = Path(name)
            inside = path.is_absolute() and path.is_relative_to(CHECKOUT)
            relative = path.relative_to(CHECKOUT) if inside else None
            self._files[name] = str(relative) if relative and "src" in relative.parts[:3] else None
        return self._files[name]

    def _caller(self, frame: FrameType) -> str:
        back = frame.f_back
        while back is not None:
            file = self._file(back.f_code.co_filename)
            if file is not None and back.f_code.co_name != "<module>":
                return file
            back = back.f_back
        return ""

    def _has_cell_argument(self, frame: FrameType) -> bool:
        code, values = frame.f_code, frame.f_locals
        # Flags 4 and 8: the function has *args or **kwargs, whose variables follow the other parameters.
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        names = code.co_varnames[:count]
        return any(self._contains_cell(values[name], DEPTH) for name in names if name in values and name != "self")

    def _contains_cell(self, value: Any, depth: int) -> bool:
        if isinstance(value, str):
            return value in self._ids
        kind = type(value)
        # By name, since the class lies in different modules in different checkouts.
        ours = kind.__module__.partition(".")[0].startswith("tlbench")
        if ours and kind.__name__ == "Cell":
            self._ids.add(value.id)
            return True
        if depth == 0:
            return False
        if kind in (list, tuple, set, frozenset):
            return any(self._contains_cell(item, depth - 1) for item in islice(value, FEW))
        if isinstance(value, dict):
            return any(self._contains_cell(item, depth - 1) for pair in islice(value.items(), FEW) for item in pair)
        return ours and any(self._contains_cell(item, depth - 1) for item in _fields(value))


def _fields(value: Any) -> list[Any]:
    """Returns the values of an object's attributes, without running properties."""
    names: Any = getattr(type(value), "__struct_fields__", None) or getattr(type(value), "__slots__", ())
    slots = [getattr(value, name, None) for name in ((names,) if isinstance(names, str) else names)]
    return [*slots, *getattr(value, "__dict__", {}).values()]


def main() -> None:
    """Runs the command and writes the events as JSON."""
    import tlbench
    from tlbench.cli import main as run_command

    if not Path(tlbench.__file__).is_relative_to(CHECKOUT):
        sys.exit(f"{CHECKOUT} has no package tlbench: imported {tlbench.__file__} instead")
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [*COMMAND.split(), "--out", f"{folder}/out"]
        sys.setprofile(recorder.record)
        with contextlib.suppress(SystemExit):
            run_command()
        sys.setprofile(None)
    OUTPUT.write_text(json.dumps(recorder.events), encoding="utf-8")


if __name__ == "__main__":
    main()
