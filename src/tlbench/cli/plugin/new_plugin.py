"""`tlbench plugin new`: makes a distribution of the template, with one working object."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tlbench.contracts.errors import UsageError
from tlbench.results.reading.default_folder import expanded
from tlbench.results.render.escaping import printable
from tlbench.system.version import VERSION

TEMPLATE = Path(__file__).parent / "template"
ANSWERS = ".copier-answers.yml"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class NewPlugin:
    """A plugin that was made, and what comes next."""

    kind: str
    name: str
    folder: Path
    distribution: str
    commands: tuple[str, ...]
    """The next commands, in the folder that holds the plugin's."""
    with_placeholder: tuple[str, ...]
    """Files that have a placeholder in place of the owner of the repository."""

    def show(self) -> None:
        """Prints it."""
        print(printable(f"{self.folder} has the {self.kind} {self.name} as the package {self.distribution}; next:"))
        for command in self.commands:
            print(f"  {command}")
        if self.with_placeholder:
            files = printable(", ".join(self.with_placeholder))
            print(f"OWNER stands for your account on GitHub: put it into {files} before you publish")

    def as_json(self) -> dict[str, Any]:
        """Returns the fields of `tlbench plugin new --json`, as docs/json.md has them."""
        named = {"format": 1, "kind": self.kind, "name": self.name, "distribution": self.distribution}
        lists = {"commands": list(self.commands), "with_placeholder": list(self.with_placeholder)}
        return {**named, "folder": str(self.folder), **lists}


def create(kind: str, name: str, to: Path | None, author: str, template: str) -> NewPlugin:
    """Makes a plugin in a new folder.

    Args:
        kind: What the plugin brings.
        name: The name of its object, in kebab-case.
        to: The folder, which must not exist or be empty; None for `tlbench-NAME` here.
        author: Who stands in the licence; empty for git's user.
        template: A folder or a git repository with another template; empty for tlbench's.

    Raises:
        UsageError: copier is not installed, the name is invalid, the folder is in use, or the template cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name: give small letters, digits and single hyphens, such as norm-only")
    folder = expanded(to) if to else Path(f"tlbench-{name}")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty: give another folder with --to")
    distribution = _distribution(folder.resolve().name, name)
    data = {"kind": kind, "name": name, "distribution": distribution}
    if author or (author := _git_user()):
        data["author"] = author
    _copy(template or str(TEMPLATE), folder, data)
    if not template:
        _name_the_source(folder / ANSWERS)
    first = (f"cd {printable(folder)}", "pip install -e '.[test]'", "pytest                  # its checks, which pass")
    commands = (*first, *_in_a_table(folder))
    return NewPlugin(kind, name, folder, distribution, commands, tuple(_with_placeholder(folder)))


def _with_placeholder(folder: Path) -> list[str]:
    """Returns the files of a plugin that have a placeholder in place of the owner of its repository."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.relative_to(folder).as_posix() for path in files if b"OWNER/" in path.read_bytes()]


def _copy(template: str, folder: Path, data: dict[str, Any]) -> None:
    try:
        from copier import run_copy
        from copier.errors import CopierError
    except ImportError:
        raise UsageError("`tlbench plugin new` makes plugins with copier: pip install 'tlbench[plugin]'") from None
    try:
        run_copy(template, folder, data=data, defaults=True, quiet=True)
    except (CopierError, ValueError, OSError) as error:
        raise UsageError(f"the template {template} cannot be used: {type(error).__name__}: {error}") from None


def _distribution(folder: str, name: str) -> str:
    """Returns the name of the package: that of the folder if it is a valid one, else `tlbench-NAME`."""
    return folder if re.fullmatch(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*", folder) else f"tlbench-{name}"


def _git_user() -> str:
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _name_the_source(answers: Path) -> None:
    """Writes tlbench's repository and version into the answers, since `copier update` needs a repository with tags."""
    repository = _repository()
    if not repository:
        return
    lines = [line for line in answers.read_text(encoding="utf-8").splitlines() if not line.startswith(("_src", "_com"))]
    lines += [f"_commit: v{VERSION}", f"_src_path: {repository}"]
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _repository() -> str:
    """Returns the address of tlbench's repository, for git; empty if its metadata has none."""
    for entry in metadata.metadata("tlbench").get_all("Project-URL") or ():
        label, _, address = entry.partition(", ")
        if label.lower() in {"repository", "source"}:
            return f"{address.removesuffix('/').removesuffix('.git')}.git"
    return ""


def _in_a_table(folder: Path) -> list[str]:
    """Returns the commands of the plugin's README that put its object into a table."""
    readme = folder / "README.md"
    _, _, rest = (readme.read_text(encoding="utf-8") if readme.is_file() else "").partition("In a table")
    return [printable(line) for line in rest.splitlines() if line.startswith("    ")]
