"""python -m tools.release.build [FOLDER]: builds the wheel and the source distribution of every distribution.

Each is built from a copy with the licence beside it, and with links of its README made absolute: those to other files
of the repository would lead nowhere on the package index.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tools.release.distributions import ROOT, Distribution, distributions

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//")
_SOURCES = ("src", "README.md", "CHANGELOG.md", "pyproject.toml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds the distributions; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.release.build", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist", help="where to; default: dist")
    parser.add_argument("--only", action="append", metavar="NAME", help="a distribution to build; repeatable")
    parser.add_argument("--uv", default="uv", help="the uv to build with")
    options = parser.parse_args(arguments)
    chosen = [one for one in distributions() if options.only is None or one.name in options.only]
    for old in (*options.folder.glob("tlbench*.whl"), *options.folder.glob("tlbench*.tar.gz")):
        old.unlink()
    built = build(chosen, options.folder.resolve(), options.uv)
    print(f"{options.folder}: {len(built)} files of {len(chosen)} distributions")
    return 0


def build(chosen: Iterable[Distribution], folder: Path, uv: str = "uv", root: Path = ROOT) -> list[Path]:
    """Builds distributions into a folder and returns the files.

    Raises:
        subprocess.CalledProcessError: One could not be built.
    """
    for one in chosen:
        with tempfile.TemporaryDirectory(prefix=f"{one.name}-") as copy:
            stage(one, Path(copy), root)
            how = ["--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder)]
            subprocess.run([uv, "build", *how, copy], check=True)
    return sorted(path for path in folder.iterdir() if path.suffix in {".whl", ".gz"})


def stage(one: Distribution, copy: Path, root: Path = ROOT) -> None:
    """Copies what a distribution is built from, with the licence, and makes links of its README absolute."""
    for name in _SOURCES:
        source = one.folder / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        elif source.is_file():
            shutil.copy(source, copy / name)
    shutil.copy(root / "LICENSE", copy / "LICENSE")
    readme = copy / "README.md"
    at = PurePosixPath(one.folder.relative_to(root).as_posix())
    address = f"{one.project['urls']['Source']}/%s/v{one.version}/"
    readme.write_text(absolute_links(readme.read_text(encoding="utf-8"), at, address), encoding="utf-8")


def absolute_links(text: str, at: PurePosixPath, address: str) -> str:
    """Returns Markdown whose relative links and images have absolute addresses.

    Args:
        text: The Markdown.
        at: Folder of its file within the repository.
        address: Address of the repository, with `%s` for "blob" (a page) or "raw" (the file itself, for images).
    """

    def replaced(link: re.Match[str]) -> str:
        mark, label, target = link.groups()
        if _ABSOLUTE.match(target):
            return link[0]
        parts: list[str] = list(at.parts)
        for part in PurePosixPath(target).parts:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        # A badge is an image within a link.
        label = _LINK.sub(replaced, label)
        return f"{mark}[{label}]({address % ('raw' if mark else 'blob')}{'/'.join(parts)})"

    return _LINK.sub(replaced, text)


if __name__ == "__main__":
    sys.exit(main())
