"""Predictors of the toy strategies. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import Exportable
from tlbench.contracts.outputs import Output, Predictions

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder


class ToyPredictor:
    """Predicts with an encoder and a head."""

    def __init__(self, encoder: Encoder, head: Any, device: Any, trained: int) -> None:
        self.encoder, self.head, self.device = encoder, head, device
        self.trainable_parameters = trained

    def save(self, folder: Path) -> None:
        """Writes the weights of the encoder and the head as safetensors."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True)
        for name, part in (("encoder", self.encoder), ("head", self.head)):
            save_file(part.state_dict(), folder / f"{name}.safetensors")

    def exportable(self, *, keep_adapter: bool = False) -> Exportable:
        """Returns the encoder and the head."""
        if keep_adapter:
            raise UsageError("a toy has no adapter: leave --adapter out")
        form: Exportable = self.head.exportable(self.encoder)
        return form

    def predict(self, data: Data) -> Predictions:
        """Returns a prediction for each example, computed in batches of 64 rows."""
        import torch

        from tlbench.modeling.data import to_device

        self.encoder.eval()
        self.head.eval()
        outputs = []
        with torch.no_grad():
            for start in range(0, len(data), 64):
                batch = data.batch(range(start, min(start + 64, len(data))))
                outputs.append(self.head.decode(self.encoder, to_device(batch, self.device)))
        predictions: Predictions = self.head.merge(outputs, data)
        return predictions


class ToyConstant:
    """Predicts one value for every example."""

    def __init__(self, output: Output, value: Any) -> None:
        self.output, self.value = output, value

    def predict(self, data: Data) -> Predictions:
        """Returns the value for each example."""
        import numpy as np

        return Predictions(data.ids, np.full(len(data.ids), self.value))

    def save(self, folder: Path) -> None:
        """Writes the value as JSON."""
        import numpy as np

        from tlbench.modeling.predictor_files import write_predictor

        write_predictor(folder, "ToyConstant", self.output, {"value": np.asarray(self.value).tolist()})

    @classmethod
    def load(cls, output: Output, folder: Path) -> ToyConstant:
        """Returns the predictor that was saved in a folder.

        Raises:
            UsageError: The folder holds no saved constant of this output.
        """
        from tlbench.modeling.predictor_files import read_settings

        value = read_settings(folder, "ToyConstant", output).get("value")
        if not isinstance(value, int | float):
            raise UsageError(f"{folder}: the saved value is neither a class nor a number")
        return cls(output, value)
