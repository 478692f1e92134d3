"""Exports a predictor in a test and compares what its folder predicts, in this process or without tlbench."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.exports.forms import ExportedFiles
from tlbench.contracts.fits.predictor import ExportablePredictor
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.task import Task

if TYPE_CHECKING:
    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class ExportedPredictor:
    """A predictor that was written to a folder."""

    folder: Path
    files: ExportedFiles
    rows: list[list[Any]]
    """The inputs of the examples that were predicted."""
    own: Predictions
    """The predictions of the predictor itself."""
    output: Output

    def problem(self, found: list[dict[str, Any]]) -> str:
        """Returns how predictions of the folder differ from the predictor's own; empty if they don't."""
        from tlbench.running.exporting.exported_check import differing

        return differing(found, self.own, self.output)

    def predictions(self) -> list[dict[str, Any]]:
        """Returns what the folder's script predicts in this process, in which tlbench could be imported."""
        spec = importlib.util.spec_from_file_location("exported_folder", self.folder / "predict.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: list[dict[str, Any]] = module.FolderModel()(self.rows)
        return found


def exported(
    predictor: ExportablePredictor,
    backbone: Backbone | None,
    task: Task,
    data: Data,
    folder: Path,
    *,
    keep_adapter: bool = False,
) -> ExportedPredictor:
    """Writes a predictor to a new folder; the predictor can't be used afterwards.

    Args:
        predictor: A predictor.
        backbone: Its backbone; None if it uses none.
        task: Its task.
        data: The rows to compare on.
        folder: Where to write to.
        keep_adapter: Whether an adapter is kept apart.

    Raises:
        UsageError: The predictor cannot be exported.
    """
    from tlbench.running.exporting.exported_check import rows_of
    from tlbench.running.exporting.exported_folder import FittedModel, write_folder

    own = predictor.predict(data)
    folder.mkdir(parents=True)
    form = predictor.exportable(keep_adapter=keep_adapter)
    count = len(data.examples[0].inputs)
    files = write_folder(FittedModel(form, backbone, task.output, task.modality, count, task.input_columns), folder)
    images = folder / "inputs"
    if task.modality == "image":
        images.mkdir()
    return ExportedPredictor(folder, files, rows_of(data.examples, images), own, task.output)
