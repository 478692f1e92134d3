"""Environments in which the built wheels are tried: without this checkout, and with what they declare."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_OURS = re.compile(r"_?_?(editable_+)?(impl_)?_?tlbench")


@dataclass(frozen=True)
class CleanEnvironment:
    """A virtual environment with wheels of ours."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, *command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment in a folder; nothing of this checkout is importable."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TLBENCH"))}
        kept |= {"HOME": str(cwd), "HF_HUB_OFFLINE": "1", "COLUMNS": "200", **environment}
        program = [str(self.folder / "bin" / command[0]), *command[1:]]
        return subprocess.run(program, cwd=cwd, env=kept, capture_output=True, text=True, check=False)


def linked_environment(folder: Path, wheels: Iterable[Path], uv: str = "uv") -> CleanEnvironment:
    """Returns an environment with wheels and, by links, the other packages of this one: made in seconds, offline.

    What a wheel forgot to declare is importable here; `resolved_environment` finds that.
    """
    environment = _created(folder, uv)
    site = Path(sysconfig.get_path("purelib"))
    linked = folder / "linked"
    linked.mkdir()
    for entry in site.iterdir():
        if not _OURS.match(entry.name) and entry.suffix != ".pth":
            (linked / entry.name).symlink_to(entry)
    own = subprocess.run(
        [environment.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (Path(own) / "linked.pth").write_text(f"{linked}\n")
    if names := [str(wheel) for wheel in wheels]:
        _install(environment, uv, ["--no-deps", "--offline", *names])
    return environment


def resolved_environment(
    folder: Path, requirements: Sequence[str], dist: Path, constraints: Path, uv: str = "uv"
) -> CleanEnvironment:
    """Returns an environment with requirements and all that they declare; ours come from the folder `dist`."""
    environment = _created(folder, uv)
    _install(environment, uv, ["--find-links", str(dist), "-c", str(constraints), *requirements])
    return environment


def _created(folder: Path, uv: str) -> CleanEnvironment:
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    return CleanEnvironment(folder)


def _install(environment: CleanEnvironment, uv: str, arguments: Sequence[str]) -> None:
    command = [uv, "pip", "install", "--quiet", "--python", str(environment.python), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
