"""The named tasks whose files are on this machine: conformance, and overlap between their splits."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import pytest
from tlbench_data.tasks import tasks
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_data.tasks.dialogue_summaries import DialogSumSmall
from tlbench_data.tasks.named_entities import Wnut17
from tlbench_data.tasks.published_files import FileTask
from tlbench_data.tasks.reading_comprehension import SquadDevParts
from tlbench_data.tasks.reviews import AgNews8k, Imdb2k
from tlbench_data.tasks.short_texts import Banking77, SmsSpam, Trec
from tlbench_data.tasks.translation import Multi30k

from tlbench import Examples, UsageError
from tlbench.testing.conformance import TaskConformance


class PublishedTask(TaskConformance):
    """Known numbers of repeated and overlapping examples in the published data."""

    task: ClassVar[FileTask]
    repeated: ClassVar[int] = 0
    """Labelled examples whose inputs equal those of an earlier one in the same split."""
    shared: ClassVar[int] = 0
    """Test examples whose inputs equal those of a training example."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _is_here(cls) -> None:
        if cls.task.missing():
            # One reason for all of them: pytest then reports it once for each test, not once for each task.
            pytest.skip("the published files are not here: set TLBENCH_DATA to the folder that holds them")

    def test_sizes(self, splits: dict[str, Examples]) -> None:
        assert {name: len(splits[name]) for name in self.task.sizes} == dict(self.task.sizes)

    def test_no_overlap(self, splits: dict[str, Examples]) -> None:
        shown = {name: [row.inputs for row in splits.get(name, ())] for name in ("train", "validation", "test")}
        assert sum(len(rows) - len(set(rows)) for rows in shown.values()) == self.repeated
        train = set(shown["train"])
        assert sum(inputs in train for inputs in shown["test"]) == self.shared


class TestAgNews8k(PublishedTask):
    task = AgNews8k()
    repeated = 6


class TestAmazon(PublishedTask):
    task = AmazonReviews()
    repeated = 65

    def test_domains(self, splits: dict[str, Examples]) -> None:
        domains = {name: {row.id.split("-")[0] for row in rows} for name, rows in splits.items()}
        assert domains == {"train": {"books"}, "validation": {"books"}, "unlabeled": {"dvd"}, "test": {"dvd"}}
        assert len(splits["train"]) + len(splits["validation"]) == 2000
        assert len(splits["unlabeled"]) + len(splits["test"]) == 2000
        assert not {row.inputs for row in splits["unlabeled"]} & {row.inputs for row in splits["test"]}
        share = Counter(row.target for row in splits["test"])[1] / len(splits["test"])
        assert share == pytest.approx(0.5, abs=0.01)


class TestBanking77(PublishedTask):
    task = Banking77()
    repeated = 5
    shared = 6


class TestDialogSumSmall(PublishedTask):
    task = DialogSumSmall()

    def test_references(self, splits: dict[str, Examples]) -> None:
        assert {len(row.target) for row in splits["train"]} == {1}
        assert {len(row.target) for row in splits["test"]} == {3}


class TestImdb2k(PublishedTask):
    task = Imdb2k()


class TestMulti30k(PublishedTask):
    task = Multi30k()
    repeated = 9

    def test_the_other_way(self, splits: dict[str, Examples]) -> None:
        turned = Multi30k(src="de", tgt="en").split("test")
        assert turned is not None
        assert turned[0].inputs == splits["test"][0].target
        assert turned[0].target == splits["test"][0].inputs


class TestSmsSpam(PublishedTask):
    task = SmsSpam()
    repeated = 414

    def test_spam_is_as_frequent_in_each(self, splits: dict[str, Examples]) -> None:
        for rows in splits.values():
            assert sum(row.target for row in rows) / len(rows) == pytest.approx(747 / 5574, abs=0.02)


class TestSquadDevParts(PublishedTask):
    task = SquadDevParts()
    repeated = 35

    def test_no_paragraph_is_in_two_splits(self, splits: dict[str, Examples]) -> None:
        paragraphs = [{row.inputs[1] for row in rows} for rows in splits.values()]
        assert not paragraphs[0] & paragraphs[1]
        assert not (paragraphs[0] | paragraphs[1]) & paragraphs[2]


class TestTrec(PublishedTask):
    task = Trec()
    repeated = 71
    shared = 10


class TestTrecFine(PublishedTask):
    task = Trec(fine=True)
    repeated = 71
    shared = 10


class TestWnut17(PublishedTask):
    task = Wnut17()
    repeated = 113


def test_names_are_told_apart_and_everything_is_said():
    every = tasks()
    assert len({task.name for task in every}) == len(every)
    for task in every:
        assert task.description
        assert task.source
        assert task.licence
        assert task.metrics


def test_tasks_whose_full_data_is_not_here_keep_their_name_for_it():
    names = {task.name: task for task in tasks()}
    assert names["imdb"].sizes == {"train": 25000, "unlabeled": 50000, "test": 25000}
    assert names["imdb-2k"].sizes == {"train": 1600, "test": 399}
    assert names["ag-news"].sizes["train"] == 120000
    assert names["ag-news-8k"].sizes["train"] == 8000
    assert names["squad"].sizes == {"train": 87599, "test": 10570}


@pytest.mark.parametrize("make", [Multi30k, AmazonReviews])
def test_a_direction_that_cannot_be_is_one_line(make):
    with pytest.raises(UsageError, match=r"no (language|domain) 'xx'; choose"):
        make(src="xx")
    with pytest.raises(UsageError, match="src and tgt are both"):
        make(tgt=make().src)
