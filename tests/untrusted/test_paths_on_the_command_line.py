"""Pipes, devices and links where a command expects a file or a folder that may have been sent."""

import os

import pytest
from PIL import Image

from tests.untrusted.hangs import ended_if_it_hangs
from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.contracts.errors import UsageError

ROWS = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(40))


@pytest.fixture(autouse=True)
def ending(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    with ended_if_it_hangs():
        yield


@pytest.fixture(params=["pipe", "zero"])
def endless(request, tmp_path):
    """Makes a pipe, or a link to a device that never ends, with this name."""

    def make(name):
        path = tmp_path / name
        os.mkfifo(path) if request.param == "pipe" else path.symlink_to("/dev/zero")
        return path

    return make


NAMED = (
    ("a.csv", ("show", "csv:{}")),
    ("a.tsv", ("show", "tsv:{}")),
    ("a.jsonl", ("show", "jsonl:{}")),
    ("a.parquet", ("show", "parquet:{}")),
    ("a.conll", ("show", "conll:{}")),
    ("a.json", ("show", "squad:{}")),
    ("a.zip", ("show", "csv:{}")),
    ("a.zip", ("show", "imagefolder:{}")),
    ("a.txt", ("show", "words:{}")),
    ("a.toml", ("plan", "--suite", "{}")),
    ("a.json", ("compare", "{}", "{}")),
    ("a.safetensors", ("show", "timm:resnet18[weights={}]")),
)


@pytest.mark.parametrize(("name", "command"), NAMED, ids=lambda one: "-".join(one) if isinstance(one, tuple) else one)
def test_what_never_ends_is_one_line(endless, capsys, name, command):
    path = endless(name)
    assert _main([part.format(path) for part in command]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_split_that_is_a_link_out_of_its_folder(tmp_path):
    (tmp_path / "private.csv").write_text(ROWS)
    folder = tmp_path / "sent"
    folder.mkdir()
    (folder / "train.csv").write_text(ROWS)
    (folder / "test.csv").symlink_to(tmp_path / "private.csv")
    with pytest.raises(UsageError, match=r"test\.csv: it is a link that leads out of the folder; name its file, as"):
        Catalog.discover().task(f"csv:{folder}")
    (folder / "test.csv").unlink()
    (folder / "other.csv").write_text(ROWS.replace("text ", "other "))
    (folder / "test.csv").symlink_to("other.csv")
    assert Catalog.discover().task(f"csv:{folder}").item.sizes["test"] == 40


def test_images_that_are_devices_or_pipes_are_left_out(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "sent" / label).mkdir(parents=True)
        for number in range(10):
            picture = Image.new("L", (4, 4), number + 10 * (label == "dog"))
            picture.save(tmp_path / "sent" / label / f"{number}.png")
    os.mkfifo(tmp_path / "sent" / "cat" / "pipe.png")
    (tmp_path / "sent" / "cat" / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "sent" / "dog" / "passwd.png").symlink_to("/etc/passwd")
    task = Catalog.discover().task(f"imagefolder:{tmp_path / 'sent'}").item
    assert sum(task.sizes.values()) == 20
    assert "special files 1" in task.description
    assert "links out of the folder" in task.description
