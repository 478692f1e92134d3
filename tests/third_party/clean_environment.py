"""An environment with wheels alone: no editable install, and of the test environment only the libraries of others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = ("tlbench", "_editable", "__editable", "__pycache__", "distutils-precedence")


class CleanEnvironment:
    """A virtual environment in a folder, whose `site-packages` has nothing but what is installed from wheels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.python = folder / "env" / "bin" / "python"
        libraries = folder / "libraries"
        libraries.mkdir()
        # torch and the like are gigabytes: linked one by one, without tlbench and the .pth files of this checkout.
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(OWN) and entry.suffix != ".pth":
                (libraries / entry.name).symlink_to(entry)
        packages = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        Path(packages, "libraries.pth").write_text(f"{libraries}\n")

    def install(self, *projects: Path) -> None:
        """Builds a wheel of each project and installs it without its requirements, which are there."""
        wheels = self.folder / "wheels"
        for project in projects:
            # A copy of what a wheel needs, since building writes into the folder.
            sources = self.folder / "sources" / project.name
            sources.mkdir(parents=True)
            for path in map(project.joinpath, ("pyproject.toml", "README.md", "LICENSE")):
                if path.is_file():
                    shutil.copy(path, sources)
            shutil.copytree(project / "src", sources / "src", ignore=shutil.ignore_patterns("__pycache__"))
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels]
            done = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        command = [uv(), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", self.python]
        done = subprocess.run([*command, *wheels.glob("*.whl")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the environment's Python in an empty folder, without any variable that leads to this checkout."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        hidden = ("PYTHON", "PYTEST", "TLBENCH", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment = {**kept, "TLBENCH_CACHE": str(self.folder / "cache"), "HOME": str(home), **variables}
        return subprocess.run(
            [self.python, *map(str, arguments)], cwd=home, env=environment, capture_output=True, text=True, check=False
        )

    def tlbench(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the `tlbench` of the environment."""
        return self.run("-m", "tlbench", *arguments, **variables)


def uv() -> str | None:
    """Returns the path of uv, of this environment or of the system; None if there is none."""
    own = Path(sys.executable).parent / "uv"
    return str(own) if own.is_file() else shutil.which("uv")
