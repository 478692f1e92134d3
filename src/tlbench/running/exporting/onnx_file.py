"""Writes an exported model as ONNX, and checks it against torch in ONNX Runtime."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import DenseHead, Exportable, FeatureModel
from tlbench.modeling.activations.encoding import in_eval_mode
from tlbench.modeling.data import Data

FILE = "model.onnx"
TOLERANCE = 1e-4
"""Largest difference between ONNX Runtime and torch, in units of the largest logit or 1."""
LENGTHS = 3
"""Number of batches of different lengths and sizes that are compared."""
_REPEATS = 20
_LARGEST_BYTES = 1_500_000_000
"""A file of ONNX has at most 2 GiB; more weights are written into a file beside it."""


@dataclass(frozen=True)
class OnnxFacts:
    """How the ONNX file was checked."""

    inputs: tuple[str, ...]
    difference: float
    """Largest difference from torch."""
    length: int
    """Number of tokens of the row that was timed; 0 for an image."""
    milliseconds: float
    """Median time of one row in ONNX Runtime."""
    torch_milliseconds: float
    threads: int
    version: str
    """The version of ONNX Runtime."""


class LogitsOf(nn.Module):
    """The whole model from a backbone's batch to logits, as one module of tensors."""

    def __init__(self, form: FeatureModel, head: DenseHead, names: Sequence[str], *, pooled: bool) -> None:
        super().__init__()
        self.encoder, self.names, self.pooled = form.encoder, tuple(names), pooled
        self.activation = nn.ReLU() if head.activation == "relu" else nn.GELU()
        self.layers = nn.ModuleList()
        for weight, bias in head.layers:
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight.detach().cpu().float(), "bias": bias.detach().cpu().float()})
            self.layers.append(layer)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Returns logits, (B, K) or (B, T, K), of the tensors of a batch in the order of their names."""
        hidden = self.encoder(dict(zip(self.names, tensors, strict=True)))
        x: Tensor = self.encoder.pool(hidden) if self.pooled else hidden.x
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        logits: Tensor = self.layers[-1](x)
        return logits


def write_onnx(form: Exportable, data: Data, pooled: bool, folder: Path) -> OnnxFacts:
    """Writes `model.onnx` with a dynamic batch size and length, and returns how it compares with torch.

    Args:
        form: The model.
        data: Rows to compare on.
        pooled: Whether the head is on the readout, and not on every position.
        folder: Where to write to.

    Raises:
        UsageError: The model has no such form, a library is missing, or ONNX Runtime computes something else.
    """
    runtime = onnx_runtime()
    if not isinstance(form, FeatureModel) or not isinstance(form.head, DenseHead) or form.adapter is not None:
        raise UsageError("--onnx needs an encoder with linear layers on it, and no adapter beside it: leave it out")
    if form.encoder.underlying is not form.encoder:
        raise UsageError("--onnx cannot read several stages of an encoder: leave it out")
    if form.pairs == "separate":
        raise UsageError("--onnx cannot read two texts separately: leave it out")
    batches = _batches(data)
    names = [name for name, part in batches[0].items() if isinstance(part, Tensor)]
    module = LogitsOf(form, form.head, names, pooled=pooled).eval()
    path = folder / FILE
    with torch.no_grad(), in_eval_mode(form.encoder):
        try:
            _export(module, [batches[-1][name] for name in names], names, path)
        except Exception as error:  # torch.onnx raises whatever its passes meet
            raise UsageError(f"--onnx: torch cannot export this model: {' '.join(str(error).split())[:200]}") from error
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        # What the encoder does not read is no input of the file.
        inputs = [one.name for one in session.get_inputs()]
        difference = max(_difference(session, module, batch, names, inputs) for batch in batches)
        if not difference <= TOLERANCE:
            raise UsageError(f"--onnx: ONNX Runtime differs from torch by {difference:.1e}: leave --onnx out")
        one = {name: batches[1][name][:1] for name in names}
        milliseconds = _median(lambda: session.run(None, {name: one[name].numpy() for name in inputs}))
        torch_milliseconds = _median(lambda: module(*(one[name] for name in names)))
    tokens = [int(tensor.shape[1]) for tensor in one.values() if tensor.ndim == 2]
    return OnnxFacts(
        tuple(inputs), difference, tokens[0] if tokens else 0, milliseconds, torch_milliseconds,
        torch.get_num_threads(), str(runtime.__version__),
    )  # fmt: skip


def onnx_runtime() -> Any:
    """Returns the module `onnxruntime`.

    Raises:
        UsageError: It, or a library that torch's export takes, is missing.
    """
    try:
        for name in ("onnx", "onnxscript"):
            importlib.import_module(name)
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UsageError(
            f"--onnx needs onnx, onnxruntime and onnxscript: pip install 'tlbench[onnx]' ({error})"
        ) from error


def _batches(data: Data) -> list[dict[str, Any]]:
    """Returns batches of the shortest, the middle and the longest rows, of one to three rows."""
    order = np.argsort(data.lengths, kind="stable").tolist()
    middle = len(order) // 2
    chosen = [order[:1], order[middle : middle + 2] or order[:1], order[-LENGTHS:]]
    return [data.batch(rows) for rows in chosen]


def _export(module: nn.Module, tensors: list[Tensor], names: Sequence[str], path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=4096)
    length = torch.export.Dim("length", min=1, max=65536)
    shapes = [{0: batch, 1: length} if tensor.ndim == 2 else {0: batch} for tensor in tensors]
    large = sum(weight.numel() * weight.element_size() for weight in module.parameters()) > _LARGEST_BYTES
    torch.onnx.export(
        module,
        tuple(tensors),
        str(path),
        input_names=list(names),
        output_names=["logits"],
        dynamic_shapes=(tuple(shapes),),
        external_data=large,
        dynamo=True,
        verbose=False,
    )


def _difference(
    session: Any, module: nn.Module, batch: dict[str, Any], names: Sequence[str], inputs: Sequence[str]
) -> float:
    wanted = module(*(batch[name] for name in names)).numpy()
    (found,) = session.run(None, {name: batch[name].numpy() for name in inputs})
    if found.shape != wanted.shape:
        raise UsageError(f"--onnx: ONNX Runtime returns {found.shape}, and torch {wanted.shape}: leave --onnx out")
    return float(np.abs(found - wanted).max()) / max(1.0, float(np.abs(wanted).max()))


def _median(run: Any) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
