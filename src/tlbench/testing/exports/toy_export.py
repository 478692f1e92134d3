"""Writes a fitted toy model as safetensors with a script of NumPy. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from tlbench.contracts.errors import UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles, FeatureModel
from tlbench.contracts.outputs import Output

LOADING = 'import safetensors.numpy\nweights = safetensors.numpy.load_file("{folder}/model.safetensors")'


def export_toy(model: Exportable, output: Output, folder: Path, title: str) -> ExportedFiles:
    """Writes the encoder's weights; the arguments are those of `Backbone.export`, and the name for messages.

    Raises:
        UsageError: The encoder is no toy, or the model has other layers than a toy.
    """
    from safetensors.torch import save_file

    from tlbench.testing.toy_encoder import ToyEncoder, ToyModule

    if not isinstance(model, FeatureModel) or not isinstance(model.encoder, ToyEncoder) or model.adapter is not None:
        raise UsageError(f"{title}: only heads on the last stage of a toy can be exported")
    native = model.encoder.cpu().float().native
    plain = ToyModule(native.norm.normalized_shape[0], len(native.blocks))
    if added := sorted(native.state_dict().keys() - plain.state_dict().keys()):
        raise UsageError(f"{title}: the strategy put layers into the toy that it does not have: {added[0]}")
    save_file({name: one.contiguous() for name, one in native.state_dict().items()}, folder / "model.safetensors")
    settings = {"reads": output.reads, "readout": model.encoder.readout}
    script = Path(__file__).with_name("toy_model_script.py")
    return ExportedFiles(script, settings, False, "safetensors", LOADING, ())
