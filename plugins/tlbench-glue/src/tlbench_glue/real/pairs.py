"""The seven tasks of two sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlbench_data.readers import Row, delimited
from tlbench_data.tasks.published_files import fixed

from tlbench import Classes, Scalar
from tlbench_glue.real.glue_task import DEV, GlueTask, folders, on_hub

_ENTAILMENT = ("entailment", "not_entailment")


@dataclass(frozen=True)
class Mrpc(GlueTask):
    """Do two sentences mean the same? The one task of GLUE whose test labels are public."""

    name = "mrpc"
    output = Classes(("not_equivalent", "equivalent"))
    metrics = ("f1", "accuracy")
    description = "Paraphrase among sentences from the news; GLUE's dev set validates, the labelled test set tests"
    source = "Dolan and Brockett, Automatically Constructing a Corpus of Sentential Paraphrases, IWP 2005"
    licence = "Microsoft Research licence, research use"
    folders = folders("MRPC")
    files = fixed(train=("train.tsv",), validation=("dev.tsv",), test=("msr_paraphrase_test.txt",))
    splits = ("train", "validation", "test")
    sizes = fixed(train=3668, validation=408, test=1725)
    renames = fixed(**{"#1 String": "sentence1", "#2 String": "sentence2", "Quality": "label"})
    hub = on_hub("mrpc")
    hub_splits = fixed(train="train", validation="validation", test="test")


@dataclass(frozen=True)
class Stsb(GlueTask):
    """How alike in meaning are two sentences, from 0 to 5?"""

    name = "stsb"
    output = Scalar()
    metrics = ("pearson", "spearman")
    slices = ("genre",)
    description = f"Similarity of sentences from captions, forums and news, from 0 to 5; slices by genre. {DEV}"
    source = "Cer et al., SemEval-2017 Task 1: Semantic Textual Similarity, arXiv:1708.00055"
    licence = "scores CC BY-SA 4.0; texts by source"
    folders = folders("STS-B")
    sizes = fixed(train=5749, test=1500)
    renames = fixed(score="label")
    hub = on_hub("stsb")

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the genre, which the hub's copy does not say."""
        return {"genre": row.text("genre")} if "genre" in row.values else {}


@dataclass(frozen=True)
class Rte(GlueTask):
    """Does the first text entail the second?"""

    name = "rte"
    output = Classes(_ENTAILMENT)
    metrics = ("accuracy", "f1")
    positive = 0
    codes = _ENTAILMENT
    description = f"Textual entailment, of the challenges RTE 1, 2, 3 and 5. {DEV}"
    source = (
        "Dagan, Glickman and Magnini, The PASCAL Recognising Textual Entailment Challenge, 2005, and its successors"
    )
    licence = "none stated (shared-task data for research)"
    folders = folders("RTE")
    sizes = fixed(train=2490, test=277)
    hub = on_hub("rte")


@dataclass(frozen=True)
class Wnli(GlueTask):
    """Does the sentence with its pronoun resolved follow? Dev is adversarial to train: below the majority is usual."""

    name = "wnli"
    output = Classes(("not_entailment", "entailment"))
    metrics = ("accuracy", "f1")
    description = f"Coreference as entailment; dev contradicts train, so scores below the majority are usual. {DEV}"
    source = "Levesque, Davis and Morgenstern, The Winograd Schema Challenge, 2011"
    licence = "CC BY 4.0 for the schema collection"
    folders = folders("WNLI")
    sizes = fixed(train=635, test=71)
    hub = on_hub("wnli")


@dataclass(frozen=True)
class Qnli(GlueTask):
    """Does the sentence answer the question?"""

    name = "qnli"
    output = Classes(_ENTAILMENT)
    metrics = ("accuracy", "f1")
    positive = 0
    codes = _ENTAILMENT
    texts = ("question", "sentence")
    description = f"Whether a sentence of Wikipedia holds the answer to a question; made of SQuAD. {DEV}"
    source = "Rajpurkar et al., SQuAD, EMNLP 2016; as sentence pairs: Wang et al. 2019, arXiv:1804.07461"
    licence = "CC BY-SA 4.0"
    folders = folders("QNLI")
    sizes = fixed(train=104743, test=5463)
    hub = on_hub("qnli")


@dataclass(frozen=True)
class Qqp(GlueTask):
    """Do two questions ask the same?"""

    name = "qqp"
    output = Classes(("not_duplicate", "duplicate"))
    metrics = ("f1", "accuracy")
    texts = ("question1", "question2")
    may_be_empty = ("question2",)
    description = (
        "Duplicate questions on Quora; rows without all columns are left out, as is usual, and the two of train whose "
        f"second question is empty are kept. {DEV}"
    )
    source = "Iyer, Dandekar and Csernai, First Quora Dataset Release: Question Pairs, 2017"
    licence = "Quora's terms of service, non-commercial use"
    folders = folders("QQP")
    sizes = fixed(train=363846, test=40430)
    renames = fixed(is_duplicate="label")
    hub = on_hub("qqp")

    def rows(self, path: Path) -> Iterator[Row]:
        """Yields the whole rows: a few of the published ones are cut off."""
        return delimited(path, "\t", quotes=False, skip_short=True)


@dataclass(frozen=True)
class Mnli(GlueTask):
    """Does the premise entail the hypothesis, contradict it, or neither? `matched=false` tests on other genres."""

    matched: bool = True

    name = "mnli"
    output = Classes(("entailment", "neutral", "contradiction"))
    metrics = ("accuracy", "f1_macro")
    slices = ("genre",)
    codes = ("entailment", "neutral", "contradiction")
    texts = ("premise", "hypothesis")
    label = "gold_label"
    description = (
        "Entailment in ten genres of speech and writing; the matched dev set tests (genres that train has), with "
        "matched=false the mismatched one. Validation is carved from train"
    )
    source = "Williams, Nangia and Bowman, A Broad-Coverage Challenge Corpus, NAACL 2018, arXiv:1704.05426"
    licence = "mixed: OANC, CC BY-SA 3.0 and others, by genre"
    folders = folders("MNLI")
    renames = fixed(sentence1="premise", sentence2="hypothesis", label="gold_label")
    hub = on_hub("mnli")

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """The published sizes, of the dev set that is meant."""
        return fixed(train=392702, test=9815 if self.matched else 9832)

    @property
    def hub_splits(self) -> Mapping[str, str]:  # type: ignore[override]
        """The hub's names of the splits."""
        return fixed(train="train", test=f"validation_{self._which}")

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the files to read."""
        return fixed(train=("train.tsv",), test=(f"dev_{self._which}.tsv",))

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the genre, which the hub's copy does not say."""
        return {"genre": row.text("genre")} if "genre" in row.values else {}

    @property
    def _which(self) -> str:
        return "matched" if self.matched else "mismatched"
