"""GLUE's two single-sentence tasks."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench_data.tasks.published_files import fixed

from tlbench import Classes
from tlbench_glue.real.glue_task import DEV, GlueTask, folders, on_hub


@dataclass(frozen=True)
class Cola(GlueTask):
    """CoLA: whether a sentence is acceptable English (Warstadt, Singh and Bowman 2019, arXiv:1805.12471)."""

    name = "cola"
    datasets = ("cola",)
    output = Classes(("unacceptable", "acceptable"))
    metrics = ("matthews", "accuracy", "f1")
    description = f"Linguistic acceptability of sentences from textbooks and papers. {DEV}"
    source = "Warstadt, Singh and Bowman, Neural Network Acceptability Judgments, TACL 2019, arXiv:1805.12471"
    licence = "released for research; the sentences belong to their authors and publishers"
    folders = folders("CoLA")
    # The files have no header; `mark` is the linguist's own mark, a star for unacceptable sentences.
    columns = ("source", "label", "mark", "sentence")
    texts = ("sentence",)
    sizes = fixed(train=8551, test=1043)
    hub = on_hub("cola")


@dataclass(frozen=True)
class Sst2(GlueTask):
    """SST-2: whether a sentence from a film review is positive (Socher et al., EMNLP 2013)."""

    name = "sst2"
    datasets = ("sst2",)
    output = Classes(("negative", "positive"))
    metrics = ("accuracy", "f1")
    description = f"Sentiment of sentences and phrases from film reviews. {DEV}"
    source = "Socher et al., Recursive Deep Models for Semantic Compositionality, EMNLP 2013"
    licence = "none stated"
    folders = folders("SST-2")
    texts = ("sentence",)
    sizes = fixed(train=67349, test=872)
    hub = on_hub("sst2")
