"""The fitted probe."""

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tlbench import Predictions
from tlbench.modeling.data import to_device


def features(encoder, data, device):
    """Returns the readouts of all rows and a column of ones, (N, width + 1) fp64 on the CPU."""
    encoder.eval()
    with torch.no_grad():
        batches = [data.batch(range(i, min(i + 32, len(data)))) for i in range(0, len(data), 32)]
        rows = [encoder.pool(encoder(to_device(batch, device))).double().cpu() for batch in batches]
    x = torch.cat(rows)
    return torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)


class Probe:
    """Weights (width + 1, K) on an encoder's readout."""

    def __init__(self, encoder, device, weights):
        self.encoder, self.device, self.weights = encoder, device, weights

    @property
    def trainable_parameters(self):
        return self.weights.numel()

    def predict(self, data):
        logits = features(self.encoder, data, self.device) @ self.weights
        scores = torch.softmax(logits, dim=1).numpy()
        return Predictions(data.ids, np.argmax(scores, axis=1), scores)

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"weights": self.weights}, folder / "probe.safetensors")

    @classmethod
    def load(cls, encoder, device, folder):
        return cls(encoder, device, load_file(folder / "probe.safetensors")["weights"])
