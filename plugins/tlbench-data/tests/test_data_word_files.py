"""Own files with one word a line or row: sentences, columns, comments, endings, and tables with a sentence column."""

from __future__ import annotations

import pytest

from tlbench import DataError
from tlbench.catalog.catalog import Catalog

BIO = ("B-PER", "I-PER", "O", "B-LOC", "O")


def sentence(i, separator=" ", words=("Bob", "Miller", "saw", "Oslo")):
    return "".join(f"{w}{separator}{t}\n" for w, t in zip((*words, f"day{i}"), BIO, strict=True))


def task_of(path, text, params="", scheme="conll"):
    path.write_text(text, encoding="utf-8")
    return Catalog.discover().task(f"{scheme}:{path}{params}").item


def examples(task):
    return sorted((e for split in task.sizes for e in task.split(split)), key=lambda e: int(e.id.split("-")[1]))


def test_a_document_marker_ends_a_sentence(tmp_path):
    text = "-DOCSTART- O\n".join(sentence(i) for i in range(20))
    task = task_of(tmp_path / "a.conll", text)
    assert sum(task.sizes.values()) == 20
    assert all(len(example.target) == 5 for example in examples(task))


def test_a_no_break_space_is_part_of_a_word(tmp_path):
    words = ("Bob", "Mil\u00a0ler", "saw", "Os\u2003lo\u0085")
    text = "\n".join(sentence(i, words=words) for i in range(20))
    assert examples(task_of(tmp_path / "a.conll", text))[0].inputs[0] == (
        "Bob",
        "Mil\u00a0ler",
        "saw",
        "Os\u2003lo",
        "day0",
    )


@pytest.mark.parametrize(
    ("comment", "separator"),
    [("# doc{}", " "), ("# id {}-ab\tdomain=train", " "), ("# id {}\tdomain=train{}", "\t"), ("# text = a b {}", "\t")],
)
def test_comments_are_left_out(tmp_path, comment, separator):
    text = "\n".join(comment.format(i, i) + "\n" + sentence(i, separator) for i in range(20))
    task = task_of(tmp_path / "a.conll", text)
    assert task.output.names == ("O", "B-LOC", "B-PER", "I-PER")
    assert task.description.endswith("; 20 comment lines left out")
    assert all(example.inputs[0][0] == "Bob" for example in examples(task))


@pytest.mark.parametrize("separator", [" ", "\t"])
def test_a_word_may_be_a_hash(tmp_path, separator):
    text = "\n".join(f"#{separator}O\n{sentence(i, separator)}#fun{separator}O\n" for i in range(20))
    task = task_of(tmp_path / "a.conll", text)
    assert examples(task)[0].inputs[0] == ("#", "Bob", "Miller", "saw", "Oslo", "day0", "#fun")
    assert "comment" not in task.description
    # Even where no other word has the tag O.
    rare = "\n".join(f"#{separator}O\nday{i}{separator}B-X\n" for i in range(20))
    assert task_of(tmp_path / "b.conll", rare).output.names == ("O", "B-X")
    with pytest.raises(DataError, match="the only label is B-X"):
        task_of(tmp_path / "b.conll", rare, "[comments=drop]").output  # noqa: B018


def test_a_hash_with_a_tag_of_its_own(tmp_path):
    path = tmp_path / "a.conll"
    sentences = [f"Pay V\nday{i} N\n" for i in range(20)]
    in_a_sentence = "\n".join(["# HASH\n" + sentences[0], "Pay V\n# HASH\n", *sentences[1:]])
    assert task_of(path, in_a_sentence).output.names == ("HASH", "N", "V")
    doubtful = "\n".join(["# HASH\n" + sentence for sentence in sentences])
    with pytest.raises(DataError, match="line 1: a comment, or the word # with the tag 'HASH': set comments=drop or"):
        task_of(path, doubtful).output  # noqa: B018
    assert task_of(path, doubtful, "[comments=keep]").output.names == ("HASH", "N", "V")
    assert task_of(path, doubtful, "[comments=drop]").output.names == ("N", "V")


def conllu(i):
    rows = [("1", "Bob", "NOUN"), ("2-3", "didn't", "_"), ("2", "did", "AUX"), ("3", "n't", "PART")]
    rows += [("4", "#", "SYM"), ("5", f"day{i}", "NOUN"), ("5.1", "_", "_")]
    lines = (f"{number}\t{form}\tl-{form}\t{upos}\tX\t_\t0\troot\t_\t_\n" for number, form, upos in rows)
    return f"# sent_id = {i}\n# text = Bob didn't # day{i}\n{''.join(lines)}\n"


def test_conllu(tmp_path):
    path, text = tmp_path / "a.conllu", "".join(conllu(i) for i in range(20))
    with pytest.raises(
        DataError, match=r"a CoNLL-U file: choose what to learn, as \[column=upos\]; the columns are id"
    ):
        task_of(path, text).output  # noqa: B018
    task = task_of(path, text, "[column=upos]")
    assert task.output.names == ("AUX", "NOUN", "PART", "SYM")
    assert examples(task)[0].inputs[0] == ("Bob", "did", "n't", "#", "day0")
    assert task.description.endswith("; 40 comment lines left out")
    assert task_of(path, text, "[column=3]").output == task.output
    assert examples(task_of(path, text, "[column=upos,text=lemma]"))[0].inputs[0][0] == "l-Bob"
    with pytest.raises(DataError, match="no column 'pos': choose a number from 0 to 9 or id, form"):
        task_of(path, text, "[column=pos]").output  # noqa: B018


def test_columns_of_words_and_tags(tmp_path):
    path = tmp_path / "a.iob2"
    text = "\n".join(f"1\tBob\tB-PER\t-\tann\n2\tsaw\tO\t-\tann\n3\tday{i}\tO\t-\tann\n" for i in range(20))
    with pytest.raises(DataError, match=r"first of the 5 columns numbers the words: .* as \[text=1,column=2\]"):
        task_of(path, text).output  # noqa: B018
    task = task_of(path, text, "[text=1,column=2]")
    assert examples(task)[0].inputs[0] == ("Bob", "saw", "day0")
    assert task.output.names == ("O", "B-PER")
    assert task_of(path, text, "[text=1,column=-3]").output == task.output
    with pytest.raises(DataError, match=r"no column '5': choose a number from 0 to 4$"):
        task_of(path, text, "[column=5]").output  # noqa: B018


@pytest.mark.parametrize("ending", [".tsv", ".conllu", ".iob2", ".conll"])
def test_endings_of_splits_in_a_folder(tmp_path, ending):
    for split, size in (("train", 20), ("dev", 3), ("test", 4)):
        (tmp_path / f"{split}{ending}").write_text("\n".join(sentence(i, "\t") for i in range(size)))
    assert Catalog.discover().task(f"conll:{tmp_path}").item.sizes == {"train": 20, "validation": 3, "test": 4}


def test_one_format_of_several_in_a_folder(tmp_path):
    for name, size in (("train.txt", 20), ("test.txt", 4), ("train.tsv", 7), ("test.tsv", 2)):
        (tmp_path / name).write_text("\n".join(sentence(i, "\t") for i in range(size)))
    assert Catalog.discover().task(f"conll:{tmp_path}").item.sizes == {"train": 20, "test": 4}


def test_a_folder_without_splits_says_what_is_there(tmp_path):
    for name in ("mine.tsv", "theirs.tsv"):
        (tmp_path / name).write_text(sentence(0))
    with pytest.raises(
        DataError,
        match=r"no file is called train\.\* \(conll: reads \.conll, .*\.tsv, \.conllu, \.iob2\); there are mine\.tsv",
    ):
        Catalog.discover().task(f"conll:{tmp_path}").item.output  # noqa: B018


def table(header, rows):
    return "\n".join(",".join(row) for row in (header, *rows)) + "\n"


def words(i):
    return [("Bob", "B-PER"), ("Miller", "I-PER"), ("saw", "O"), (f"day{i}", "O")]


def test_a_table_with_one_word_a_row(tmp_path):
    path = tmp_path / "a.csv"
    rows = [(str(i), word, tag) for i in range(20) for word, tag in words(i)]
    text = table(("sentence_id", "words", "labels"), rows)
    with pytest.raises(DataError, match=r"every row has one word: set sentence=sentence_id to join .* or kind=classes"):
        task_of(path, text, scheme="csv").output  # noqa: B018
    task = task_of(path, text, "[sentence=sentence_id]", "csv")
    assert task.output.names == ("O", "B-PER", "I-PER")
    assert task.metrics[0] == "entity_f1"
    assert sum(task.sizes.values()) == 20
    assert examples(task)[1].inputs[0] == ("Bob", "Miller", "saw", "day1")
    assert task_of(path, text, "[kind=classes]", "csv").output.names == ("B-PER", "I-PER", "O")
    with pytest.raises(DataError, match=r"line 82: sentence '0' goes on after others: sort the rows by sentence_id"):
        task_of(path, text + "0,late,O\n", "[sentence=sentence_id]", "csv").output  # noqa: B018
    with pytest.raises(DataError, match="no column 'doc'; the columns are sentence_id, words, labels"):
        task_of(path, text, "[sentence=doc]", "csv").output  # noqa: B018
    with pytest.raises(DataError, match="line 3: words is empty"):
        task_of(path, text.replace("0,Miller", "0,", 1), "[sentence=sentence_id]", "csv").output  # noqa: B018


def test_a_table_that_numbers_first_words_alone(tmp_path):
    path = tmp_path / "a.csv"
    rows = [
        ("" if k else f"Sentence: {i}", word, "X", tag) for i in range(20) for k, (word, tag) in enumerate(words(i))
    ]
    text = table(("Sentence #", "Word", "POS", "Tag"), rows)
    task = task_of(path, text, "[sentence=Sentence #]", "csv")
    assert sum(task.sizes.values()) == 20
    assert task.output.names == ("O", "B-PER", "I-PER")
    with pytest.raises(DataError, match=r"line 2: Sentence # is empty on the first row"):
        task_of(path, text.replace("Sentence: 0", ""), "[sentence=Sentence #]", "csv").output  # noqa: B018
    with pytest.raises(
        DataError, match=r"name the column of tags, as \[label=...\]; there are Sentence #, Word, POS, X"
    ):
        task_of(path, text.replace("Tag", "X"), "[sentence=Sentence #]", "csv").output  # noqa: B018
