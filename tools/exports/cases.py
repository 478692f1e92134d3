"""The winners that are exported, with the call of another library that loads each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ExportCase:
    """A task on a user's own file, how a backbone is adapted to it, and how the export is loaded."""

    kind: str
    task: str
    """The name of the task, relative to the folder of `write_files`."""
    backbone: str | None
    strategy: str
    call: str
    """The name of a function of `fresh_process.py`; "predict.py" for the script in the folder alone."""
    keeps_adapter: bool = False
    with_onnx: bool = False


_POOLER = "minilm-l3[readout=pooler]"
_REVIEWS = "csv:reviews.csv[text=text,label=stars]"
CASES: Mapping[str, ExportCase] = MappingProxyType({
    "classes": ExportCase("classes", _REVIEWS, _POOLER, "full-finetune", "text_classification"),
    "classes, mean pooling": ExportCase("classes", _REVIEWS, "minilm-l3", "linear-probe", "sentence_transformers"),
    "classes, adapter merged": ExportCase("classes", _REVIEWS, _POOLER, "lora", "text_classification"),
    "classes, ONNX": ExportCase("classes", _REVIEWS, "minilm-l3", "mlp-probe", "onnx_runtime", with_onnx=True),
    "classes, word counts": ExportCase("classes", _REVIEWS, None, "tfidf", "predict.py"),
    "several labels": ExportCase(
        "multi-label", "csv:topics.csv[text=text,label=praise+blame+odd]", _POOLER, "full-finetune",
        "text_classification",
    ),
    "number": ExportCase(
        "scalar", "csv:lengths.csv[text=text,label=number]", _POOLER, "full-finetune", "text_classification"
    ),
    "words": ExportCase("token-classes", "conll:names.conll", "minilm-l3", "full-finetune", "token_classification"),
    "words, adapter kept": ExportCase("token-classes", "conll:names.conll", "minilm-l3", "lora", "peft_words", True),
    "spans": ExportCase("span", "squad:questions.json", "minilm-l3", "full-finetune", "question_answering"),
    "texts": ExportCase(
        "text", "jsonl:summaries.jsonl[kind=text,text=text,label=summary]", "t5-tiny", "full-finetune", "seq2seq"
    ),
    "images": ExportCase("classes", "imagefolder:pictures", "efficientnet-lite0[size=64]", "linear-probe", "timm"),
})  # fmt: skip
