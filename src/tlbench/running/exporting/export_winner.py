"""Exports a cell's winner: writes its folder, loads it without tlbench, compares it, and only then names it."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench.contracts.fits.predictor import ExportablePredictor
from tlbench.modeling.data import Data
from tlbench.running.exporting.export_card import ExportFacts, card_text
from tlbench.running.exporting.exported_check import differing, predictions_without_tlbench, rows_of
from tlbench.running.exporting.exported_folder import FittedModel, write_folder
from tlbench.running.exporting.full_precision import in_fp32
from tlbench.running.exporting.onnx_file import OnnxFacts, onnx_runtime, write_onnx
from tlbench.running.winners.kept_winner import KeptWinner
from tlbench.system.output_paths import check_new_folder

CHECKED_ROWS = 64
"""Number of validation rows on which an exported folder is compared with the model."""


def export_winner(
    winner: KeptWinner,
    to: Path,
    *,
    keep_adapter: bool = False,
    onnx: bool = False,
    ties: Sequence[str] = (),
    standing: str = "",
) -> ExportFacts:
    """Writes a winner to a new folder that loads without tlbench, and returns what its model card says.

    The winner can't be used afterwards. If anything goes wrong, nothing is left behind.

    Args:
        winner: The rebuilt winner.
        to: The folder, which must not exist, or be empty.
        keep_adapter: Whether an adapter of peft is kept apart from the backbone's weights.
        onnx: Whether `model.onnx` is written too.
        ties: Rows of the leaderboard that are not told apart from the cell.
        standing: The cell's rank, in a few words.

    Raises:
        UsageError: The folder exists, the model has no form without tlbench, or what was written predicts otherwise.
    """
    context = winner.context
    check_request(to, onnx)
    in_fp32(winner.predictor, winner.job)
    rows = context.validation[:CHECKED_ROWS].without_targets()
    own = winner.predict(rows)
    data = winner.featurize(rows)
    to = Path(os.path.abspath(to))  # a name such as ../.. has no other beside it
    temporary = to.with_name(f".{to.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.mkdir(parents=True)
        output, modality = context.info.output, context.task.item.modality
        form, files = _written(winner, keep_adapter, temporary)
        facts_of_onnx = _onnx(form, data, output.reads, temporary) if onnx else None
        with tempfile.TemporaryDirectory() as images:
            (found,) = predictions_without_tlbench([(temporary, rows_of(rows, Path(images)))])
        if problem := differing(found, own, output):
            raise UsageError(
                f"{winner.record.cell.title}: not exported, because its folder predicts otherwise: {problem}"
            )
        card = context.card if context.backbone else None
        facts = ExportFacts(
            winner.record, winner.fit, output, modality, files, card, len(rows), ties, standing, facts_of_onnx,
        )  # fmt: skip
        (temporary / "README.md").write_text(card_text(facts), encoding="utf-8")
        if to.exists():
            to.rmdir()
        os.replace(temporary, to)
        return facts
    except OSError as error:
        raise UsageError(f"--to {to}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_request(to: Path, onnx: bool) -> None:
    """Does nothing unless it is clear, before the winner is rebuilt, that it cannot be exported.

    Raises:
        UsageError: The folder exists and is not empty, or can't be made, or a library that ONNX takes is missing.
    """
    check_new_folder(to, "--to")
    if onnx:
        onnx_runtime()


def _written(winner: KeptWinner, keep_adapter: bool, folder: Path) -> tuple[Exportable, ExportedFiles]:
    """Writes the winner's folder, without its card.

    Raises:
        UsageError: It has no form without tlbench, or a plugin failed to write it.
    """
    context, predictor = winner.context, winner.predictor
    strategy = winner.record.cell.strategy.name
    if not isinstance(predictor, ExportablePredictor):
        raise UsageError(f"{strategy} cannot be exported: its predictors do not say what they compute")
    backbone = context.backbone.item if context.backbone else None
    try:
        form = predictor.exportable(keep_adapter=keep_adapter)
        task, count = context.task.item, len(context.splits.train[0].inputs)
        model = FittedModel(form, backbone, context.info.output, task.modality, count, task.input_columns)
        return form, write_folder(model, folder)
    except UsageError:
        raise
    except OSError as error:
        if error.errno is None:
            raise UsageError(f"{winner.record.cell.title} cannot be exported: {error}") from error
        raise
    # A library may refuse a model by any exception, and the user can do nothing about a plugin's mistake.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"{winner.record.cell.title} cannot be exported: {type(error).__name__}: {reason}") from error


def _onnx(form: Exportable, data: Data, reads: str, folder: Path) -> OnnxFacts:
    return write_onnx(form, data, reads == "example", folder)
