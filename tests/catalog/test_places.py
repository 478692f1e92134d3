"""Names of files and folders of one's own: the same id wherever they lie, another one for another content."""

import json
import os
import shutil

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.names import published
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.errors import UsageError
from tlbench.contracts.identity.content_names import label_and_digest, published_name, without_label
from tlbench.contracts.identity.known_places import PLACES_VARIABLE, known_places, note_places, without_places

pytest.importorskip("tlbench_data", reason="the plugin tlbench-data is not installed")
ROWS = "".join(f"text {n} is {'good' if n % 2 else 'bad'},{'yes' if n % 2 else 'no'}\n" for n in range(40))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PLACES_VARIABLE, "{}")


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "ann" / "reviews.csv"
    path.parent.mkdir()
    path.write_text("text,label\n" + ROWS)
    return path


def ref(name):
    return Catalog.discover().task(name).ref


def cell_id(name):
    return Cell(ref(name), Ref("majority"), Protocol()).id


def forget(monkeypatch):
    """Makes this process know no places but those that are stored."""
    monkeypatch.setenv(PLACES_VARIABLE, "{}")


def test_a_name_has_the_files_name_and_the_digest_but_no_folder(reviews, tmp_path):
    labels = tmp_path / "bob" / "classes.txt"
    labels.parent.mkdir()
    labels.write_text("no\nyes\n")
    name = ref(f"csv:{reviews}[labels={labels}]").name
    assert "/" not in name
    assert name.startswith("csv:reviews.csv@sha-")
    assert "[labels=classes.txt@sha-" in name
    assert Catalog.discover().task(name).item.sizes["test"] == 4


def test_the_id_stays_when_the_file_moves_and_changes_with_its_content(reviews, tmp_path):
    before = cell_id(f"csv:{reviews}")
    moved = tmp_path / "elsewhere" / "deep" / "reviews.csv"
    moved.parent.mkdir(parents=True)
    shutil.copy(reviews, moved)
    assert cell_id(f"csv:{moved}") == before
    moved.write_text(moved.read_text() + "one more,yes\n")
    assert cell_id(f"csv:{moved}") != before


@pytest.mark.parametrize("name", ["csv:{folder}", "csv:{folder}/train.csv[test={folder}/test.csv]"])
def test_the_id_stays_when_a_folder_is_renamed(name, tmp_path):
    folder = tmp_path / "pets"
    folder.mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.csv").write_text("text,label\n" + ROWS.replace("text", split))
    before = cell_id(name.format(folder=folder))
    renamed = folder.rename(tmp_path / "animals")
    assert cell_id(name.format(folder=renamed)) == before


def test_an_image_folder_that_is_renamed_keeps_its_id(tmp_path):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "pets"
    for number in range(24):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.new("L", (4, 4), number).save(path)
    before = cell_id(f"imagefolder:{folder}")
    renamed = folder.rename(tmp_path / "animals")
    assert ref(f"imagefolder:{renamed}").name.startswith("imagefolder:animals@sha-")
    assert cell_id(f"imagefolder:{renamed}") == before
    image.new("L", (4, 4), 200).save(renamed / "cat" / "0.png")
    assert cell_id(f"imagefolder:{renamed}") != before


def test_a_later_command_finds_the_data_by_the_recorded_name(reviews, monkeypatch):
    name = ref(f"csv:{reviews}").name
    forget(monkeypatch)
    found = Catalog.discover().task(name)
    assert (found.ref.name, found.item.sizes["test"]) == (name, 4)


def test_what_has_moved_is_found_in_the_working_folder_and_below_the_data_root(reviews, tmp_path, monkeypatch):
    name = ref(f"csv:{reviews}").name
    moved = tmp_path / "new"
    reviews.parent.rename(moved)
    forget(monkeypatch)
    with pytest.raises(UsageError, match=rf"it was {reviews}, and it is not found .*: name it once by its path"):
        ref(name)
    with monkeypatch.context() as patch:
        patch.chdir(moved)
        assert ref(name).name == name
    shutil.rmtree(tmp_path / "cache")
    forget(monkeypatch)
    monkeypatch.setenv("TLBENCH_DATA", str(moved))
    assert ref(name).name == name


def test_of_two_files_of_one_name_that_with_the_content_is_taken(reviews, tmp_path, monkeypatch):
    name = ref(f"csv:{reviews}").name
    kept = tmp_path / "kept" / "reviews.csv"
    kept.parent.mkdir()
    shutil.copy(reviews, kept)
    reviews.write_text("text,label\n" + ROWS.replace("good", "fine"))
    forget(monkeypatch)
    with pytest.raises(UsageError, match="its digest is now"):
        ref(name)
    monkeypatch.chdir(kept.parent)
    assert ref(name).name == name


def test_workers_find_the_data_without_the_cache(reviews, tmp_path, monkeypatch):
    name = ref(f"csv:{reviews}").name
    places = os.environ[PLACES_VARIABLE]
    assert list(json.loads(places).values()) == [str(reviews)]
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "another"))
    assert ref(name).name == name


def test_a_name_from_elsewhere_opens_nothing_that_has_another_content(reviews, monkeypatch):
    monkeypatch.chdir(reviews.parent)
    with pytest.raises(UsageError, match="no place of it is known here"):
        ref("csv:reviews.csv@sha-0123456789ab")
    with pytest.raises(UsageError, match="not found"):
        ref("hf:some-model@sha-0123456789ab")


@pytest.mark.parametrize("variable", ["[]", "{", '{"a@b": 1}'])
def test_a_damaged_variable_knows_no_places(variable, monkeypatch):
    monkeypatch.setenv(PLACES_VARIABLE, variable)
    assert known_places() == {}


def test_the_variable_stays_short_and_keeps_the_newest():
    for number in range(40):
        note_places({f"{number}@0123456789ab": f"/{'x' * 3000}{number}"})
    known = known_places()
    assert 10 < len(known) < 40
    assert "39@0123456789ab" in known


def test_texts_of_records_have_the_label_in_place_of_the_path():
    note_places({"pets@0123456789ab": "/home/ann/pets", "reviews.csv@0123456789ab": "/home/ann/pets/reviews.csv"})
    assert without_places("/home/ann/pets/reviews.csv, row 3; /home/ann/pets/cat/1.jpg") == (
        "reviews.csv, row 3; pets/cat/1.jpg"
    )


@pytest.mark.parametrize(
    ("text", "shown", "places"),
    [
        ("csv:/a/b.csv@0123456789ab", "csv:b.csv@sha-0123456789ab", {"b.csv@0123456789ab": "/a/b.csv"}),
        ("/a/b.csv@0123456789ab", "b.csv@sha-0123456789ab", {"b.csv@0123456789ab": "/a/b.csv"}),
        ("csv:/a/b[1].csv@0123456789ab", "csv:b_1_.csv@sha-0123456789ab", {"b_1_.csv@0123456789ab": "/a/b[1].csv"}),
        (
            "parallel:/a/t.en+/b/t.de@0123456789ab",
            "parallel:t.en+t.de@sha-0123456789ab",
            {"t.en+t.de@0123456789ab": "/a/t.en+/b/t.de"},
        ),
        ("hf:org/name@0123456789ab", "hf:org/name@0123456789ab", {}),
        ("csv:/a/b.csv", "csv:/a/b.csv", {}),
    ],
)  # fmt: skip
def test_a_published_name_has_no_folder(text, shown, places):
    assert published_name(text) == (shown, places)
    if places:
        assert label_and_digest(shown) is not None


def test_published_names_keep_their_other_parameters():
    name, places = published('csv:/a/b.csv@0123456789ab[test=/c/d.csv@ba9876543210,text="x,y"]')
    assert name == 'csv:b.csv@sha-0123456789ab[test=d.csv@sha-ba9876543210,text="x,y"]'
    assert places == {"b.csv@0123456789ab": "/a/b.csv", "d.csv@ba9876543210": "/c/d.csv"}


def test_ids_leave_out_labels_and_nothing_else():
    assert without_label("csv:b.csv@sha-0123456789ab[test=d.csv@sha-ba9876543210,text=b.csv]") == (
        "csv:@sha-0123456789ab[test=@sha-ba9876543210,text=b.csv]"
    )
    assert without_label("task:csv:b.csv@sha-0123456789ab") == "task:csv:@sha-0123456789ab"
    for name in ("hf:org/name@0123456789ab", "hf:name@sha-x", "csv:b.csv", "distill[teacher=hf:a/b@sha-0123456789ab]"):
        assert without_label(name) == name
