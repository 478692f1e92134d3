"""GLUE's seven sentence-pair tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlbench_data.readers import Row, delimited
from tlbench_data.tasks.published_files import fixed

from tlbench import Classes, Scalar
from tlbench_glue.real.glue_task import DEV, GlueTask, folders, on_hub

# The order of the class indices in the hub's tables.
_ENTAILMENT = ("entailment", "not_entailment")


@dataclass(frozen=True)
class Mrpc(GlueTask):
    """MRPC: whether two sentences are paraphrases (Dolan and Brockett, IWP 2005)."""

    name = "mrpc"
    datasets = ("mrpc",)
    output = Classes(("not_equivalent", "equivalent"))
    metrics = ("f1", "accuracy")
    description = "Paraphrase among sentences from the news; GLUE's dev set validates, the labelled test set tests"
    source = "Dolan and Brockett, Automatically Constructing a Corpus of Sentential Paraphrases, IWP 2005"
    licence = "Microsoft Research licence, research use"
    folders = folders("MRPC")
    # The only GLUE task whose test labels are public, in Microsoft's own file.
    files = fixed(train=("train.tsv",), validation=("dev.tsv",), test=("msr_paraphrase_test.txt",))
    splits = ("train", "validation", "test")
    sizes = fixed(train=3668, validation=408, test=1725)
    renames = fixed(**{"#1 String": "sentence1", "#2 String": "sentence2", "Quality": "label"})
    hub = on_hub("mrpc")
    hub_splits = fixed(train="train", validation="validation", test="test")


@dataclass(frozen=True)
class Stsb(GlueTask):
    """STS-B: the similarity of two sentences from 0 to 5 (Cer et al. 2017, arXiv:1708.00055)."""

    name = "stsb"
    datasets = ("stsb",)
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
        """Returns the genre, if the row has one."""
        # The hub's copy has no genres.
        return {"genre": row.text("genre")} if "genre" in row.values else {}


@dataclass(frozen=True)
class Rte(GlueTask):
    """RTE: whether the first text entails the second (Dagan, Glickman and Magnini 2005, and successors)."""

    name = "rte"
    datasets = ("rte",)
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
    """WNLI: whether a sentence with its pronoun resolved follows from the original (Levesque et al. 2011).

    The dev set contradicts the training split: its sentences recur there with the opposite label, so scores below the
    majority baseline are common.
    """

    name = "wnli"
    datasets = ("wnli",)
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
    """QNLI: whether a sentence answers a question (Rajpurkar et al. 2016; Wang et al. 2019, arXiv:1804.07461)."""

    name = "qnli"
    datasets = ("qnli",)
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
    """QQP: whether two questions on Quora are duplicates (Iyer, Dandekar and Csernai 2017)."""

    name = "qqp"
    datasets = ("qqp",)
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
        """Yields the rows of a file, skipping rows that are cut off."""
        # A few published rows are cut off by line ends inside a question; other readers skip them too.
        return delimited(path, "\t", quotes=False, skip_short=True)


@dataclass(frozen=True)
class Mnli(GlueTask):
    """MNLI: entailment, contradiction or neither; `matched=false` tests on genres that train does not have.

    Williams, Nangia and Bowman, NAACL 2018, arXiv:1704.05426.
    """

    matched: bool = True

    name = "mnli"
    datasets = ("multi_nli",)
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
    # The files have `gold_label`, which the hub calls `label`, and `label1`, which is that of a single annotator.
    renames = fixed(sentence1="premise", sentence2="hypothesis", label="gold_label")
    hub = on_hub("mnli")

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Published number of examples per split; the test split is the chosen dev set."""
        return fixed(train=392702, test=9815 if self.matched else 9832)

    @property
    def hub_splits(self) -> Mapping[str, str]:  # type: ignore[override]
        """The hub's names of the splits."""
        return fixed(train="train", test=f"validation_{self._dev_set}")

    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the files of the training split and of the chosen dev set."""
        return fixed(train=("train.tsv",), test=(f"dev_{self._dev_set}.tsv",))

    def slices_of(self, row: Row, inputs: tuple[str, ...]) -> dict[str, str]:
        """Returns the genre, if the row has one."""
        return {"genre": row.text("genre")} if "genre" in row.values else {}

    @property
    def _dev_set(self) -> str:
        return "matched" if self.matched else "mismatched"
