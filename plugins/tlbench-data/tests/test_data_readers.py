"""The readers of file formats: their rows, and one-line errors with file and row."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tlbench_data.readers import (
    conll,
    decoded,
    delimited,
    json_lines,
    json_list,
    parallel,
    parquet,
    squad,
    table,
    to_bio,
)

from tlbench import Answer, DataError


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def values(rows):
    return [dict(row.values) for row in rows]


def test_csv_with_quoted_line_ends_and_a_byte_order_mark(tmp_path):
    path = write(tmp_path / "a.csv", '\ufefftext,label\n"two\nlines, ""quoted""",1\n\nplain,2\r\n')
    rows = list(delimited(path))
    assert values(rows) == [{"text": 'two\nlines, "quoted"', "label": "1"}, {"text": "plain", "label": "2"}]
    assert [row.number for row in rows] == [2, 5]


def test_tsv_in_which_quotes_are_plain(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"half\t1\nI said "so\x85"\t0\n')
    assert values(delimited(path, "\t", quotes=False)) == [
        {"text": '"half', "label": "1"},
        {"text": 'I said "so\x85"', "label": "0"},
    ]


def test_without_a_header(tmp_path):
    path = write(tmp_path / "a.csv", "1,x\n2,y\n")
    assert values(delimited(path, columns=("label", "text")))[1] == {"label": "2", "text": "y"}
    assert values(delimited(path, header=False))[0] == {"0": "1", "1": "x"}


def test_rows_cut_short_are_left_out_only_where_asked(tmp_path):
    path = write(tmp_path / "a.tsv", "a\tb\n1\t2\n1\n3\t4\n")
    assert len(list(delimited(path, "\t", quotes=False, skip_short=True))) == 2
    with pytest.raises(DataError, match=r"a\.tsv, line 3: 1 columns where 2 are expected"):
        list(delimited(path, "\t", quotes=False))


def test_too_many_columns(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n1,2,3\n")
    with pytest.raises(DataError, match=r"a\.csv, line 3: 3 columns where 2 are expected"):
        list(delimited(path))


def test_a_header_that_names_a_column_twice(tmp_path):
    with pytest.raises(DataError, match="line 1: the header names 'a' twice"):
        list(delimited(write(tmp_path / "a.csv", "a,b,a\n1,2,3\n")))


def test_a_quote_that_never_ends(tmp_path):
    with pytest.raises(DataError, match=r"a\.csv, line 2: "):
        list(delimited(write(tmp_path / "a.csv", 'a,b\n"never,2\n')))


def test_not_utf8_says_byte_and_line(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\nfine,1\ncafé,2\n", "latin-1")
    with pytest.raises(DataError, match=r"a\.csv, line 3: not UTF-8 \(byte 21\)"):
        list(delimited(path))
    assert values(delimited(path, encoding="latin-1"))[1]["text"] == "café"
    with pytest.raises(DataError, match="no encoding 'nonsense'"):
        decoded(path, "nonsense")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: No such file"):
        list(delimited(tmp_path / "gone.csv"))


def test_json_lines_and_lists(tmp_path):
    lines = write(tmp_path / "a.jsonl", '{"text": "x", "label": 1}\n\n{"text": "y", "label": 0}\n')
    assert [row.number for row in json_lines(lines)] == [1, 3]
    whole = write(tmp_path / "a.json", '[{"text": "x"}, {"text": "y"}]')
    assert values(json_list(whole)) == values(table(whole)) == [{"text": "x"}, {"text": "y"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": \n', r"line 2: not JSON"),
        ('{"a": 1}\n[1, 2]\n', r"line 2: \[1, 2\] is not a JSON object"),
        ("[" * 100_000 + "\n", "nested too deeply"),
    ],
)
def test_json_lines_that_are_none(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(json_lines(write(tmp_path / "a.jsonl", text)))


def test_parquet_puts_class_names_in_place_of_indices(tmp_path):
    path = tmp_path / "a.parquet"
    features = {
        "label": {"names": ["no", "yes"], "_type": "ClassLabel"},
        "tags": {"feature": {"names": ["O", "B-x"], "_type": "ClassLabel"}, "_type": "Sequence"},
    }
    written = pa.table({"label": [1, 0, -1], "tags": [[0, 1], [1], []]})
    described = written.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(described, path)
    assert values(parquet(path))[0] == {"label": 1, "tags": [0, 1]}
    assert values(parquet(path, named=True)) == [
        {"label": "yes", "tags": ["O", "B-x"]},
        {"label": "no", "tags": ["B-x"]},
        {"label": -1, "tags": []},
    ]


def test_no_parquet(tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet: not a Parquet file"):
        list(parquet(write(tmp_path / "a.parquet", "text")))


def test_conll_columns_with_tabs_blank_lines_and_documents(tmp_path):
    text = "-DOCSTART- O\n\nOld B-x\nTown I-x\n\t\nis O\n\n\n"
    rows = list(conll(write(tmp_path / "a.conll", text)))
    assert values(rows) == [{"words": ("Old", "Town"), "tags": ("B-x", "I-x")}, {"words": ("is",), "tags": ("O",)}]
    assert [row.number for row in rows] == [3, 6]
    four = write(tmp_path / "b.conll", "EU NNP I-NP I-ORG\nrejects VBZ I-VP O")
    assert values(conll(four)) == [{"words": ("EU", "rejects"), "tags": ("I-ORG", "O")}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tO\nb O x\n", r"line 2: 3 columns where 2 are expected"),
        ("word\n", "line 1: 1 columns where 2 are expected"),
        ("a\tO\n\tO\n", "line 2: the word is empty"),
        ("a\tO\nb\t\n", "line 2: the tag is empty"),
    ],
)
def test_conll_rows_that_cannot_be(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(conll(write(tmp_path / "a.conll", text)))


def test_older_tags_become_bio():
    assert to_bio(("I-LOC", "I-LOC", "O", "I-PER", "I-LOC", "B-LOC", "I-LOC")) == (
        "B-LOC",
        "I-LOC",
        "O",
        "B-PER",
        "B-LOC",
        "B-LOC",
        "I-LOC",
    )


def question(**changes):
    item = {"id": "q", "question": "Where?", "answers": [{"text": "here", "answer_start": 6}]}
    paragraph = {"context": "It is here.", "qas": [{**item, **changes}]}
    return json.dumps({"version": "2.0", "data": [{"title": "T", "paragraphs": [paragraph]}]})


def test_squad_in_both_versions(tmp_path):
    twice = [{"text": "here", "answer_start": 6}] * 2
    (item,) = squad(write(tmp_path / "a.json", question(answers=twice)))
    assert (item.question, item.context, item.answers) == ("Where?", "It is here.", (Answer("here", 6),))
    (none,) = squad(write(tmp_path / "b.json", question(is_impossible=True, plausible_answers=twice, answers=[])))
    assert none.answers == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            question(answers=[{"text": "here", "answer_start": 5}]),
            "question q: answer_start 5 points at ' her', not at 'here'",
        ),
        (question(answers=[{"text": " ", "answer_start": 5}]), "question q: an answer is empty"),
        (question(question=" "), "question q: the question is empty"),
        ('{"data": [{"paragraphs": [{}]}]}', "not in SQuAD's format"),
        ("[]", "not in SQuAD's format"),
    ],
)
def test_squad_files_that_are_wrong(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(squad(write(tmp_path / "a.json", text)))


def test_parallel_files_compressed_and_not(tmp_path):
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    german = write(tmp_path / "a.de", "eins\nzwei\n")
    assert values(parallel(tmp_path / "a.en.gz", german)) == [
        {"source": "one", "target": "eins"},
        {"source": "two", "target": "zwei"},
    ]
    short = write(tmp_path / "b.de", "eins\n")
    with pytest.raises(DataError, match=r"a\.en\.gz has 2 lines and .*b\.de has 1; line by line"):
        list(parallel(tmp_path / "a.en.gz", short))
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"one\n" * 1000)[:20])
    with pytest.raises(DataError, match="not a whole gzip file"):
        list(parallel(tmp_path / "c.gz", german))


@pytest.mark.parametrize("scheme", ["text", "texts"])
def test_half_a_character_is_one_line(tmp_path, scheme):
    (row,) = json_lines(write(tmp_path / "a.jsonl", r'{"text": "ha \ud83d", "texts": ["\ud83d\ude00", "\ud83d"]}'))
    with pytest.raises(DataError, match=rf"a\.jsonl, line 1: {scheme} contains an unpaired surrogate \(\\ud83d\)$"):
        getattr(row, scheme)(scheme)


@pytest.mark.parametrize("place", ["question", "context", "id"])
def test_half_a_character_in_squad(tmp_path, place):
    text = question(**{} if place == "context" else {place: "\ud83d"})
    text = text.replace("It is here.", r"It is here. \ud83d") if place == "context" else text
    with pytest.raises(DataError, match=r"a\.json.* contains an unpaired surrogate") as caught:
        list(squad(write(tmp_path / "a.json", text)))
    assert str(caught.value).isascii()


def test_a_row_says_what_is_wrong_with_it(tmp_path):
    (row,) = delimited(write(tmp_path / "a.csv", "text,label,score\n ,x,high\n"))
    for call, message in (
        (lambda: row.text("text"), "line 2: text is empty"),
        (lambda: row.text("review"), "no column 'review'; the columns are text, label, score"),
        (lambda: row.index("label", ("a", "b")), "label is 'x', which is none of a, b"),
        (lambda: row.real("score"), "score is 'high', not a number"),
        (lambda: row.texts("label"), "label is 'x', not a list of texts"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
