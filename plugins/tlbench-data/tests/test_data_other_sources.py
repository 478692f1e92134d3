"""A folder given to the wrong source, and built-in tasks whose parameters ask for files that nobody can fetch."""

from __future__ import annotations

import gzip

import pytest
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_data.tasks.translation import Multi30k

from tlbench import DataError
from tlbench.catalog.catalog import Catalog


def described(name):
    return Catalog.discover().task(name).item.description


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


@pytest.mark.parametrize("scheme", ["csv", "jsonl", "parquet", "conll"])
@pytest.mark.parametrize("names", [("a.png",), ("cat/a.jpg", "dog/b.jpg")])
def test_a_folder_of_images_given_to_a_source_of_tables(tmp_path, scheme, names):
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=rf"images such as {names[0]}: imagefolder:{tmp_path} reads them$"):
        described(f"{scheme}:{tmp_path}")


def test_an_image_given_to_a_source_of_tables(tmp_path):
    touch(tmp_path, "a.png")
    with pytest.raises(DataError, match=rf"this is an image; imagefolder:{tmp_path} reads a folder of images"):
        described(f"csv:{tmp_path}/a.png")


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("train.csv", "test.csv"), "tables such as test.csv: csv:{0} reads it"),
        (("reviews.parquet",), "tables such as reviews.parquet: parquet:{0}/reviews.parquet reads it"),
    ],
)
@pytest.mark.parametrize("scheme", ["imagefolder", "tsv"])
def test_a_folder_of_tables_given_to_another_source(tmp_path, scheme, names, hint):
    touch(tmp_path, *names)
    with pytest.raises(DataError) as caught:
        described(f"{scheme}:{tmp_path}")
    assert str(caught.value).endswith(hint.format(tmp_path))


def test_a_table_or_images_given_to_sources_of_image_folders(tmp_path):
    touch(tmp_path, "a.csv", "b.png")
    with pytest.raises(DataError, match=rf"this is a table; csv:{tmp_path}/a\.csv reads it; give a folder"):
        described(f"imagefolder:{tmp_path}/a.csv")
    with pytest.raises(DataError, match=rf"there are images such as b\.png: imagefolder:{tmp_path} reads them"):
        described(f"idx:{tmp_path}")


def test_a_path_with_brackets_is_quoted_in_the_hint(tmp_path):
    touch(tmp_path / "a[1]", "a.png")
    with pytest.raises(DataError) as caught:
        described(f'csv:"{tmp_path}/a[1]"')
    assert str(caught.value).endswith(f'imagefolder:"{tmp_path}/a[1]" reads them')


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def test_a_language_that_the_hub_does_not_have_is_not_advised_to_be_fetched(nowhere):
    assert Multi30k().missing().endswith("or run `tlbench fetch --task multi30k-en-de`")
    assert Multi30k(src="de", tgt="en").missing().endswith("or run `tlbench fetch --task multi30k-en-de`")
    message = Multi30k(tgt="fr").missing()
    assert "tlbench fetch" not in message
    assert message.endswith("test_2016_flickr.fr.gz); the hub has en and de alone")
    with pytest.raises(DataError, match="the hub has en and de alone"):
        Multi30k(tgt="fr").fetch()


def test_languages_and_domains_that_are_here_are_named(nowhere):
    for stem in ("train", "val", "test_2016_flickr"):
        for language in ("en", "de", "cs")[: 3 if stem == "train" else 2]:
            touch(nowhere / "multi30k", f"{stem}.{language}.gz").joinpath(f"{stem}.{language}.gz").write_bytes(
                gzip.compress(b"x\n")
            )
    assert Multi30k(tgt="fr").missing().endswith("; the files of de and en are here; the hub has en and de alone")
    touch(nowhere / "amazon_mdsd" / "sorted_data_acl", "books/negative.review", "books/positive.review")
    assert AmazonReviews(tgt="dvd").missing().endswith("; the files of books are here")


def test_tables_of_the_hub_are_not_taken_for_other_languages(nowhere):
    # Its cache has English and German.
    folder = nowhere / "hub" / "datasets--bentrevett--multi30k"
    commit = "0" * 40
    touch(folder, *(f"snapshots/{commit}/{split}.jsonl" for split in ("train", "val", "test")))
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    assert Multi30k().missing() is None
    assert "the hub has en and de alone" in Multi30k(tgt="fr").missing()
