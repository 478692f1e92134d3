"""Names of labels in options: `map=`, `labels=` from a file, and names that hold the characters of lists."""

from __future__ import annotations

import json

import pytest
from tlbench_data.name_lists import as_map, as_option, joined_names, renamed_pairs

from tlbench import Classes, DataError, MultiLabel, Scalar, TokenClasses, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.names import parse


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def write(tmp_path, labels, name="a.jsonl"):
    path = tmp_path / name
    if path.suffix == ".csv":
        path.write_text("text,label\n" + "".join(f"text {i},{label}\n" for i, label in enumerate(labels)))
    else:
        path.write_text("".join(json.dumps({"text": f"text {i}", "label": x}) + "\n" for i, x in enumerate(labels)))
    return f"{path.suffix[1:]}:{path}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a+b", ("a", "b")),
        (r"C\+\++Java", ("C++", "Java")),
        (r"a:b+c\:d", ("a:b", "c:d")),
        ("a\\\\+b", ("a\\", "b")),
        ("C:\\new+b", ("C:\\new", "b")),
        ("", ()),
    ],
)
def test_names_in_a_list(text, names):
    assert joined_names(text) == names
    key, _, _ = as_option("labels", names).partition("=")
    _, params = parse(f"x[{as_option('labels', names)}]") if names else ("", {key: ""})
    assert joined_names(params[key]) == names


@pytest.mark.parametrize("name", ["a+b", "a,b", "a]b", 'say "so"', "back\\slash", "end\\", "\\+", "a:b"])
def test_every_name_can_be_declared(name):
    _, params = parse(f"x[{as_option('labels', [name, 'other'])}]")
    assert joined_names(params["labels"]) == (name, "other")


@pytest.mark.parametrize("name", ["C++", "x:y", "a,b", "end\\", "\\+", "d]", '"q"', "new\nline"])
def test_every_name_can_be_mapped(name):
    option = as_map([(name, "plain"), ("other", name)])
    assert renamed_pairs(parse(f"csv:x[{option}]")[1]["map"]) == ((name, "plain"), ("other", name))


def test_pairs_in_a_map():
    assert renamed_pairs(r"1:neg+a\+b:c\:d") == (("1", "neg"), ("a+b", "c:d"))
    for wrong in ("a", "a:b:c", ":b", "a:", "a:b+"):
        with pytest.raises(ValueError, match=r"^(a|a:b:c|:b|a:|)$"):
            renamed_pairs(wrong)


STARS = "map=1:neg+2:neg+4:pos+5:pos"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_labels_are_joined_and_others_stay(catalog, tmp_path, name):
    named = catalog.task(write(tmp_path, [i % 5 + 1 for i in range(50)], name) + f"[{STARS}]")
    assert named.item.output == Classes(("3", "neg", "pos"))
    assert named.ref.name.endswith(f"[{STARS}]")
    row = named.item.split("train")[0]
    star = int(row.inputs[0].split()[1]) % 5 + 1
    assert named.item.output.names[row.target] == ("neg", "neg", "3", "pos", "pos")[star - 1]


@pytest.mark.parametrize(
    ("labels", "params", "output"),
    [
        (["1", "2.0", "2", "1.0"], "[map=1:one+2:two]", Classes(("one", "two"))),
        ([True, False], "[map=true:yes+false:no]", Classes(("no", "yes"))),
        ([["a", "b"], ["c"]], "[map=a:x+b:x]", MultiLabel(("c", "x"))),
        (["a;b", "c"], "[kind=multilabel,map=a:x+b:x]", MultiLabel(("c", "x"))),
        ([[1, 0, 1], [0, 1, 1]], "[names=a+b+c,map=a:x+b:x]", MultiLabel(("x", "c"))),
        (["low", "high", "mid"], "[kind=scalar,map=low:1+mid:2+high:3.5]", Scalar()),
        (["a", "b"], "[map=a:x,labels=b+x+y]", Classes(("b", "x", "y"))),
    ],
)
def test_maps_of_every_kind_of_labels(catalog, tmp_path, labels, params, output):
    assert catalog.task(write(tmp_path, labels * 20) + params).item.output == output


def test_tags_of_words_are_mapped_too(catalog, tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("".join(f"Rome B-GPE\nis O\n{i} O\n\nBonn B-LOC\n{i} O\n\n" for i in range(20)))
    task = catalog.task(f"conll:{path}[map=B-GPE:B-LOC]").item
    assert task.output == TokenClasses(("O", "B-LOC"))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[map=a:x+z:y]", r"a\.jsonl: map= renames 'z', but there is a, b"),
        ("[map=a:x,kind=text]", "map= is for kind=classes, multilabel, scalar or tokens, and this is kind=text"),
        ("[max_length=9]", "max_length= is for kind=text, and this is kind=classes"),
    ],
)
def test_options_that_do_not_fit_the_labels(catalog, tmp_path, params, message):
    with pytest.raises(DataError, match=message):
        catalog.task(write(tmp_path, ["a", "b"] * 20) + params).item.output  # noqa: B018


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("[map=a]", r"map=a: 'a' is not old:new; write map=old:new\+old2:new2"),
        ("[map=a:x+a:y]", "maps one label twice"),
        ("[map=1:x+1.0:y]", "maps one label twice"),
        ("[names=gone.txt]", r"names=gone\.txt: no such file"),
        ("[labels=gone.txt]", r"labels=gone\.txt: no such file, beside the data or in the working folder"),
        ("[labels=twice.txt]", "labels= has an empty or repeated name"),
        ("[labels=empty.txt]", r"empty\.txt: it has no names, one on each line"),
    ],
)
def test_lists_and_maps_that_cannot_be(catalog, tmp_path, params, message):
    (tmp_path / "twice.txt").write_text("a\na\n")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(UsageError, match=message):
        catalog.task(write(tmp_path, ["a", "b"] * 20) + params)


def test_classes_in_a_file(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    (tmp_path / "labels.txt").write_text("b\r\na\r\n\r\nC++\r\n")
    name = write(tmp_path, ["a", "b"] * 20)
    # Looked for beside the data.
    named = catalog.task(f"{name}[labels=labels.txt]")
    assert named.item.output == Classes(("b", "a", "C++"))
    assert "labels=labels.txt@sha-" in named.ref.name
    assert Catalog.discover().task(named.ref.name).item == named.item
    assert catalog.task(rf"{name}[labels=b+a+C\+\+]").item.output == named.item.output
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(UsageError, match="its digest is now"):
        Catalog.discover().task(named.ref.name)


def test_a_class_with_a_plus_is_declared_as_the_message_says(catalog, tmp_path):
    folder = tmp_path / "langs"
    folder.mkdir()
    write(folder, ["Java", "C"] * 20, "train.jsonl")
    write(folder, ["Java", "C++", "C"], "test.jsonl")
    with pytest.raises(DataError, match=r"\[labels=C\+C\\\+\\\++Java\] declares all classes"):
        catalog.task(f"jsonl:{folder}").item.output  # noqa: B018
    task = catalog.task(rf"jsonl:{folder}[labels=C+C\+\++Java]").item
    assert task.output == Classes(("C", "C++", "Java"))
