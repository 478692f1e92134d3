"""What the toy strategies answer with; light to import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.errors import UsageError
from tlbench.contracts.outputs import Output, Predictions

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder


class ToyPredictor:
    """Answers through a head on an encoder."""

    def __init__(self, encoder: Encoder, head: Any, device: Any, trained: int) -> None:
        self.encoder, self.head, self.device = encoder, head, device
        self.trainable_parameters = trained

    def save(self, folder: Path) -> None:
        """Writes the weights of encoder and head."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True)
        for name, part in (("encoder", self.encoder), ("head", self.head)):
            save_file(part.state_dict(), folder / f"{name}.safetensors")

    def predict(self, data: Data) -> Predictions:
        """Returns an answer for each example, in batches of 64 rows."""
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
    """Answers the same for every example."""

    def __init__(self, output: Output, value: Any) -> None:
        self.output, self.value = output, value

    def predict(self, data: Data) -> Predictions:
        """Returns the value as often as there are examples."""
        import numpy as np

        return Predictions(data.ids, np.full(len(data.ids), self.value))

    def save(self, folder: Path) -> None:
        """Writes the value."""
        import numpy as np

        from tlbench.modeling.predictor_files import write_predictor

        write_predictor(folder, "ToyConstant", self.output, {"value": np.asarray(self.value).tolist()})

    @classmethod
    def load(cls, output: Output, folder: Path) -> ToyConstant:
        """Returns what was saved.

        Raises:
            UsageError: It is not there.
        """
        from tlbench.modeling.predictor_files import read_settings

        value = read_settings(folder, "ToyConstant", output).get("value")
        if not isinstance(value, int | float):
            raise UsageError(f"{folder} holds no class and no number")
        return cls(output, value)
