"""The README.md of an exported folder: a model card with scores, data, choice and use."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from tlbench.contracts.backbone import Card
from tlbench.contracts.exports.forms import ExportedFiles
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, Text
from tlbench.contracts.record import FitResult, Record, TestScore
from tlbench.results.render.commands.repeating import repeat_command
from tlbench.results.render.escaping import code_span, markdown_text, printable
from tlbench.running.exporting.onnx_file import OnnxFacts
from tlbench.system.version import VERSION

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_TAGS = {
    "classes": "text-classification", "multi-label": "text-classification", "scalar": "text-classification",
    "token-classes": "token-classification", "span": "question-answering", "text": "text-generation",
}  # fmt: skip
"""The hub's names of tasks, by the kind of output; images are "image-classification"."""


_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
"""The name of a repository of the hub."""


@dataclass(frozen=True)
class ExportFacts:
    """What a model card says beside the record."""

    record: Record
    fit: FitResult
    """The final fit whose model this is."""
    output: Output
    modality: str
    files: ExportedFiles
    backbone: Card | None
    """The card of the backbone, with its licence; None without one."""
    checked_rows: int
    """Number of validation rows on which the folder was compared with the model."""
    ties: Sequence[str] = ()
    """The other rows of the leaderboard that are not told apart from this one."""
    standing: str = ""
    """The rank in the leaderboard, in a few words."""
    onnx: OnnxFacts | None = None


def card_text(facts: ExportFacts) -> str:
    """Returns a model card: metadata as huggingface_hub has them, and a text."""
    from huggingface_hub import ModelCardData

    record, cell = facts.record, facts.record.cell
    name = cell.title.replace(" | ", " ")
    source = facts.backbone.source if facts.backbone else ""
    data = ModelCardData(
        model_name=printable(name),
        library_name=facts.files.library,
        license=facts.backbone.licence.lower() or None if facts.backbone else None,
        # Only a repository of the hub is a name there; a folder of this machine is nobody else's.
        base_model=source if _REPOSITORY.fullmatch(source) else None,
        pipeline_tag=_pipeline_tag(facts),
        tags=["tlbench", cell.strategy.name.partition("[")[0]],
        metrics=list(record.metrics),
        eval_results=_results(facts),
        ignore_metadata_errors=True,
    )
    parts = [f"---\n{data.to_yaml()}\n---", f"# {markdown_text(name)}", _what(facts), *_use(facts), *_scores(record)]
    parts += ["## How it was chosen", _choice(facts), "## What it was made from", _made_of(facts), *_onnx(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _pipeline_tag(facts: ExportFacts) -> str:
    if facts.output.hub_task:
        return facts.output.hub_task
    return "image-classification" if facts.modality == "image" else _TAGS.get(facts.output.kind, "text-classification")


def _results(facts: ExportFacts) -> list[EvalResult]:
    from huggingface_hub import EvalResult

    task = printable(facts.record.cell.task.name)
    return [
        EvalResult(
            task_type=_pipeline_tag(facts),
            dataset_type=task,
            dataset_name=task,
            dataset_split="test",
            metric_type=score.metric,
            metric_name=f"{score.metric} (mean of {len(facts.record.fits)} seeds)",
            metric_value=round(mean, 6),
        )
        for score, mean in _means(facts.record)
    ]


def _means(record: Record) -> list[tuple[TestScore, float]]:
    """Returns the first score of each metric on the whole test split, and the mean over seeds."""
    values: dict[str, list[float]] = defaultdict(list)
    first: dict[str, TestScore] = {}
    for score in record.scores:
        if score.slice is None:
            values[score.metric].append(score.value)
            first.setdefault(score.metric, score)
    return [(first[metric], fmean(numbers)) for metric, numbers in values.items()]


def _what(facts: ExportFacts) -> str:
    cell, output = facts.record.cell, facts.output
    backbone = f"{code_span(cell.backbone.name)}, adapted by " if cell.backbone else ""
    adapted = f"{backbone}{code_span(cell.strategy.name)}"
    text = f"{adapted} to the task {code_span(cell.task.name)}, by tlbench {VERSION}."
    if isinstance(output, Scalar):
        return f"{text} It predicts a number."
    if isinstance(output, Span):
        return f"{text} It answers a question with a part of its context."
    if isinstance(output, Text):
        return f"{text} It writes a text of up to {output.max_length} tokens."
    what = "the class" if isinstance(output, Classes) else "the labels"
    if not isinstance(output, Classes | MultiLabel):
        what = output.predicted or "the tag of each word"
    names = ", ".join(code_span(name) for name in output.classes[:50])
    more = f" and {len(output.classes) - 50} more" if len(output.classes) > 50 else ""
    return f"{text} It predicts {what}, among {len(output.classes)}: {names}{more}."


def _use(facts: ExportFacts) -> list[str]:
    row = '["photo.png"]' if facts.modality == "image" else '["a text"]'
    loading = facts.files.loading.replace("{folder}", "FOLDER")
    code = f"from predict import FolderModel  # in this folder\nFolderModel()([{row}])"
    parts = ["## Use", f"```python\n{loading}\n```"]
    if facts.files.remark:
        parts.append(facts.files.remark)
    elif not facts.files.includes_head and facts.files.library != "numpy":
        parts.append("That is the encoder. The head, in `head.safetensors`, is applied by `predict.py`:")
    else:
        parts.append("The same with the labels and probabilities that were measured, and without any other setting:")
    parts.append(f"```python\n{code}\n```")
    parts.append(
        "`predict.py` reads rows as JSON lines, and runs no code but that of this folder and of the distributions in "
        "`requirements.txt`."
    )
    return parts


def _scores(record: Record) -> list[str]:
    lines = ["| metric | mean | by seed (95% interval over examples) | n |", "| --- | --- | --- | --- |"]
    for score, mean in _means(record):
        own = [one for one in record.scores if one.metric == score.metric and one.slice is None]
        seeds = "; ".join(f"{one.value:.4f} [{one.low:.4f}, {one.high:.4f}]" for one in own)
        lines.append(f"| {code_span(score.metric)} | {mean:.4f} | {seeds} | {score.n:,} |")
    return ["## Scores on the test split", "\n".join(lines)]


def _choice(facts: ExportFacts) -> str:
    record, fit = facts.record, facts.fit
    protocol = record.cell.protocol
    params = ", ".join(code_span(f"{name}={value}") for name, value in fit.params.items()) or "no hyperparameters"
    searched = (
        f"The best of {len(record.longest_trials)} trials ({protocol.sampler}) by validation {record.metrics[0]}"
        if protocol.is_searched
        else "Not searched"
    )
    lines = [f"{searched}: {params}. The winner was fitted with {len(record.fits)} seeds; this is seed {fit.seed}"]
    lines[0] += "." if fit.validation is None else f" (validation {record.metrics[0]} {fit.validation:.4f})."
    lines.append("The test split was opened after the choice.")
    if facts.standing:
        lines.append(facts.standing)
    if facts.ties:
        shown = ", ".join(code_span(one) for one in facts.ties[:8])
        more = f" and {len(facts.ties) - 8} more" if len(facts.ties) > 8 else ""
        lines.append(f"Not told apart from it by the tests: {shown}{more}.")
    command = repeat_command(record.cell)
    return " ".join(lines) + f"\n\nThe command that repeats it:\n\n```sh\n{command}\n```"


def _made_of(facts: ExportFacts) -> str:
    record, card = facts.record, facts.backbone
    provenance = record.provenance
    lines = []
    if card is not None:
        licence = card.licence or "not stated by its files: look it up before you use or share this model"
        lines.append(f"- Licence of the backbone: {markdown_text(licence)}")
        if card.source and not card.source.startswith("/"):
            revision = f" at {markdown_text(card.revision)}" if card.revision else ""
            lines.append(f"- Backbone: {markdown_text(card.source)}{revision}")
        if card.pretraining_data:
            lines.append(f"- Pretraining: {markdown_text(card.pretraining_data)}")
    if record.train_examples:
        lines.append(f"- Training examples: {record.train_examples:,}")
    if provenance.data:
        data = ", ".join(f"{split} {digest}" for split, digest in provenance.data.items())
        lines.append(f"- Data: {markdown_text(data)}")
    precision = markdown_text(provenance.precision) or "fp32"
    versions = ", ".join(f"{name} {version}" for name, version in provenance.distributions.items())
    lines.append(f"- Made with: {markdown_text(versions)}; {precision} on {markdown_text(provenance.device)}")
    if provenance.precision not in ("", "fp32"):
        lines.append(f"- It was measured in {precision}; this folder computes in fp32")
    lines.append(
        f"- Checked: this folder was loaded without tlbench, and predicted {facts.checked_rows} validation rows as the "
        "model did, to 1e-5"
    )
    lines.append(f"- Cell: {shlex.quote(record.cell.id)}")
    return "\n".join(lines)


def _onnx(facts: ExportFacts) -> list[str]:
    onnx = facts.onnx
    if onnx is None:
        return []
    inputs = ", ".join(f"`{name}`" for name in onnx.inputs)
    length = f"one row of {onnx.length} tokens" if onnx.length else "one image"
    return [
        "## ONNX",
        f"`model.onnx` maps {inputs} to `logits`, with any batch size and length. It differs from torch by at most "
        f"{onnx.difference:.1e} at three lengths. {length.capitalize()} takes {onnx.milliseconds:.2f} ms in ONNX "
        f"Runtime {onnx.version} and {onnx.torch_milliseconds:.2f} ms in torch (CPU, threads: {onnx.threads}, "
        "median of 20 runs).",
    ]
