"""Tasks whose data is not available here, on made-up excerpts in the format of their files and hub tables."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from tlbench_data.tasks import tasks
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_data.tasks.dialogue_summaries import DialogSum, SamSum
from tlbench_data.tasks.named_entities import Conll2003
from tlbench_data.tasks.published_files import fixed
from tlbench_data.tasks.reading_comprehension import Squad, SquadV2
from tlbench_data.tasks.relations import SemEval2010Task8
from tlbench_data.tasks.reviews import AgNews, Imdb
from tlbench_data.tasks.translation import Multi30k

from tlbench import Answer, DataError
from tlbench.catalog.data_roots import DATA_VARIABLE

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def small(task, **fields):
    """Returns the task without its published sizes, which an excerpt does not have."""

    @dataclass(frozen=True)
    class Small(type(task)):
        sizes = fixed()

    return Small(**fields)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


RELATIONS = """1\t"The <e1>storm</e1> caused a long <e2>delay</e2> at the harbour."
Cause-Effect(e1,e2)
Comment:

2\t"We put the <e2>spoons</e2> next to a \"blue\" <e1>hat</e1>."
Other
Comment: none of them

"""


def test_relations_between_marked_spans(root):
    write(root / "semeval2010_task8/TRAIN_FILE.TXT", RELATIONS)
    write(
        root / "semeval2010_task8/TEST_FILE_FULL.TXT", RELATIONS.replace("Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)")
    )
    task = small(SemEval2010Task8())
    train, test = task.split("train"), task.split("test")
    assert train[0].inputs == ("The [E1] storm [/E1] caused a long [E2] delay [/E2] at the harbour.",)
    assert train[1].inputs == ('We put the [E2] spoons [/E2] next to a "blue" [E1] hat [/E1] .',)
    assert [task.output.names[row.target] for row in train] == ["Cause-Effect(e1,e2)", "Other"]
    assert task.output.names[test[0].target] == "Cause-Effect(e2,e1)"
    assert len(task.output.names) == 19


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Cause-Effect(e1,e2)", "Cause-Effect(e1)", r"line 1: relation is 'Cause-Effect\(e1\)', which is none of"),
        ("<e1>storm</e1>", "storm", "line 1: the sentence must contain <e1>"),
        ("Other\n", "", "line 5: relation is 'Comment"),
        ("Cause-Effect(e1,e2)\nComment:\n\n", "", "line 1: no relation follows"),
    ],
)
def test_relations_that_are_wrong(root, old, new, message):
    for name in ("TRAIN_FILE.TXT", "TEST_FILE_FULL.TXT"):
        write(root / "semeval2010_task8" / name, RELATIONS.replace(old, new))
    with pytest.raises(DataError, match=message):
        small(SemEval2010Task8()).split("train")


def test_conll2003_in_its_older_tags(root):
    text = "-DOCSTART- -X- O O\n\nAda NNP I-NP I-PER\nlives VBZ I-VP O\nin IN I-PP O\nBern NNP I-NP I-LOC\n\n"
    for name in ("eng.train", "eng.testa", "eng.testb"):
        write(root / "conll2003" / name, text)
    task = small(Conll2003())
    (row,) = task.split("train")
    assert row.inputs == (("Ada", "lives", "in", "Bern"),)
    assert [task.output.names[tag] for tag in row.target] == ["B-PER", "O", "O", "B-LOC"]
    assert not row.group
    write(root / "conll2003/eng.testb", text.replace("-DOCSTART- -X- O O\n\n", "") + text + text)
    assert [row.group for row in task.split("test")] == ["", "document 1", "document 2"]
    write(root / "conll2003/eng.testb", text.replace("I-LOC", "I-TIME"))
    with pytest.raises(DataError, match=r"eng\.testb, line 3: the tag 'B-TIME' is none of O, B-PER"):
        task.split("test")


def test_imdb_in_folders(root):
    for part, kinds in (("train", ("pos", "neg", "unsup")), ("test", ("pos", "neg"))):
        for kind in kinds:
            write(root / "aclImdb" / part / kind / "0_9.txt", f"A {kind} film for {part}.")
    task = small(Imdb())
    assert [(row.inputs[0], row.target) for row in task.split("train")] == [
        ("A neg film for train.", 0),
        ("A pos film for train.", 1),
    ]
    assert [row.target for row in task.split("unlabeled")] == [None]
    assert {row.slices["length"] for row in task.split("test")} == {"short"}
    with pytest.raises(DataError, match="2 examples in train of imdb, where 25000 are published"):
        Imdb().split("train")


def test_ag_news_has_title_and_description(root):
    for name in ("train.csv", "test.csv"):
        write(root / "ag_news_csv" / name, '"3","Prices rise","Bread is dearer."\n"4","Moon","A probe landed."\n')
    rows = small(AgNews()).split("train")
    assert [(row.inputs[0], row.target) for row in rows] == [
        ("Prices rise Bread is dearer.", 2),
        ("Moon A probe landed.", 3),
    ]


def squad_file(answers, **more):
    item = {"id": "q1", "question": "Where is it?", "answers": answers, **more}
    return json.dumps({"data": [{"title": "T", "paragraphs": [{"context": "It is here.", "qas": [item]}]}]})


def test_squad_with_and_without_answers(root):
    here = [{"text": "here", "answer_start": 6}]
    for name in ("train-v1.1.json", "dev-v1.1.json"):
        write(root / "squad_v1.1" / name, squad_file(here))
    for name in ("train-v2.0.json", "dev-v2.0.json"):
        write(root / "squad_v2.0" / name, squad_file([], is_impossible=True))
    (answered,), (unanswerable,) = small(Squad()).split("test"), small(SquadV2()).split("test")
    assert (answered.id, answered.inputs, answered.target) == (
        "q1",
        ("Where is it?", "It is here."),
        (Answer("here", 6),),
    )
    assert unanswerable.target == ()


def test_dialogues(root):
    one = json.dumps({"fname": "a", "dialogue": "#Person1#: Hi.\n#Person2#: Hello.", "summary": "They greet."})
    three = json.dumps({"fname": "a", "dialogue": "#Person1#: Hi.", **{f"summary{i}": f"Way {i}." for i in (1, 2, 3)}})
    for name, line in (("train", one), ("dev", one), ("test", three)):
        write(root / f"dialogsum/dialogsum.{name}.jsonl", f"{line}\n")
    task = small(DialogSum())
    assert task.split("train")[0].target == ("They greet.",)
    assert task.split("test")[0].target == ("Way 1.", "Way 2.", "Way 3.")
    for name in ("train", "val", "test"):
        write(
            root / f"samsum/{name}.json", json.dumps([{"id": "1", "dialogue": "Ann: Hi!", "summary": "Ann says hi."}])
        )
    assert small(SamSum()).split("validation")[0].inputs == ("Ann: Hi!",)
    rows = [{"id": str(i), "dialogue": text, "summary": "?"} for i, text in enumerate(("Ann: Hi!", " ", "Bo: Bye!"))]
    write(root / "samsum/train.json", json.dumps(rows))
    assert [row.inputs[0] for row in small(SamSum()).split("train")] == ["Ann: Hi!", "Bo: Bye!"]
    assert SamSum.sizes["train"] == 14731


def test_the_second_question_of_qqp_may_be_empty(root):
    qqp = pytest.importorskip("tlbench_glue.real.pairs").Qqp()
    for name in ("train", "dev"):
        rows = (("question1", "question2", "is_duplicate"), ("Why?", "", "0"))
        write(root / f"QQP/{name}.tsv", "".join("\t".join(row) + "\n" for row in rows))
    assert small(qqp).split("train")[0].inputs == ("Why?", "")


def test_other_languages_of_multi30k(root):
    for stem in ("train", "val", "test_2016_flickr"):
        for language, line in (("fr", "un chien"), ("en", "a dog")):
            (root / "multi30k").mkdir(exist_ok=True)
            (root / f"multi30k/{stem}.{language}.gz").write_bytes(gzip.compress(f"{line}\n".encode()))
    assert Multi30k().missing()
    (row,) = small(Multi30k(), src="fr", tgt="en").split("test")
    assert (row.inputs, row.target) == (("un chien",), ("a dog",))


def review(number, text):
    return f"<review>\n<title>\nT{number} & more\n</title>\n<review_text>\n{text}\n</review_text>\n</review>\n"


def test_reviews_of_two_domains(root):
    for folder in ("books", "kitchen_&_housewares"):
        for label in ("positive", "negative"):
            text = "".join(review(i, f"{label} {folder} {i}") for i in range(10))
            write(root / "sorted_data_acl" / folder / f"{label}.review", text)
    task = small(AmazonReviews(), src="books", tgt="kitchen")
    assert {name: len(task.split(name)) for name in task.splits} == {
        "train": 16,
        "validation": 4,
        "unlabeled": 10,
        "test": 10,
    }
    assert all("& more\n" in row.inputs[0] and "kitchen" in row.inputs[0] for row in task.split("test"))
    assert {row.target for row in task.split("unlabeled")} == {None}
    write(root / "sorted_data_acl/books/negative.review", review(0, "") * 3)
    with pytest.raises(DataError, match=r"negative\.review, review 1: review_text is empty"):
        task.split("train")


SENTENCE = {"tokens": ["Ada", "slept"]}
HUB_ROWS = {
    "ag-news": {"text": "Prices rise", "label": 2},
    "banking77": {"text": "Where is my card?", "label": 11, "label_text": "card_arrival"},
    "conll2003": {**SENTENCE, "ner_tags": [1, 0]},
    "imdb": {"text": "A film.", "label": 1},
    "multi30k-en-de": {"en": "a dog", "de": "ein Hund"},
    "samsum": {"id": "1", "dialogue": "Ann: Hi!", "summary": "Ann says hi."},
    "semeval2010-task8": {"sentence": "<e1>Rain</e1> made <e2>mud</e2>.", "relation": 0},
    "sms-spam": {"sms": "Win now", "label": 1},
    "squad": {"id": "1", "question": "Where?", "context": "Here.", "answers": {"text": ["Here"], "answer_start": [0]}},
    "squad-v2": {"id": "1", "question": "Where?", "context": "Here.", "answers": {"text": [], "answer_start": []}},
    "trec": {"text": "Who?", "coarse_label": 3, "fine_label": 29},
    "wnut17": {**SENTENCE, "ner_tags": [9, 0]},
}
HUB_TARGETS = {
    "ag-news": "Business",
    "banking77": "card_arrival",
    "imdb": "positive",
    "semeval2010-task8": "Cause-Effect(e1,e2)",
    "sms-spam": "spam",
    "trec": "HUM",
}


def test_every_task_with_a_place_on_the_hub_is_tried():
    assert {task.name for task in tasks() if task.hub} == set(HUB_ROWS)


@pytest.mark.parametrize("name", HUB_ROWS)
def test_the_columns_of_the_hub(root, name):
    task = small(next(task for task in tasks() if task.name == name))
    assert task.missing()
    assert task.hub
    place = root / "hub" / f"datasets--{task.hub.repository.replace('/', '--')}"
    commit = task.hub.commit() or COMMIT
    folder = place / "snapshots" / commit / (task.hub.config or "data")
    folder.mkdir(parents=True)
    write(place / "refs" / task.hub.revision, commit)
    for split in set(task.hub_splits.values()):
        rows = [{**HUB_ROWS[name], "label": -1} if split == "unsupervised" else HUB_ROWS[name]]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")
    assert task.missing() is None
    (row,) = task.split("train")
    assert all(row.inputs)
    if name in HUB_TARGETS:
        assert task.output.names[row.target] == HUB_TARGETS[name]
    if name in ("conll2003", "wnut17"):
        assert [task.output.names[tag] for tag in row.target] == ["B-PER" if name == "conll2003" else "B-person", "O"]
