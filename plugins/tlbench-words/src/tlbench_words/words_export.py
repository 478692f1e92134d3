"""Writes a fitted model of word vectors as a table in safetensors and a list of words."""

from __future__ import annotations

from pathlib import Path

from tlbench import Output, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles, FeatureModel
from tlbench_words.vector_files import Vectors

LOADING = """import safetensors.numpy
table = safetensors.numpy.load_file("{folder}/model.safetensors")["embedding.weight"]"""


def export_words(model: Exportable, output: Output, folder: Path, vectors: Vectors, max_length: int) -> ExportedFiles:
    """Writes a table and its words into a folder; returns what `Backbone.export` does.

    Args:
        model: The table and a head.
        output: The task's output.
        folder: Where to write to.
        vectors: The words of the table's rows.
        max_length: The maximum number of known words per text.

    Raises:
        UsageError: The model is no head on a table of word vectors.
    """
    from safetensors.torch import save_file

    if not isinstance(model, FeatureModel) or model.adapter is not None:
        raise UsageError("a head on word vectors has no adapter and generates no texts")
    tensors = model.encoder.cpu().float().native.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    words = sorted(vectors.vocabulary, key=vectors.vocabulary.__getitem__)
    # As bytes: a word may contain other line breaks than a line feed.
    (folder / "words.txt").write_bytes("\n".join(words).encode())
    settings = {"reads": output.reads, "readout": model.encoder.readout, "length": max_length}
    script = Path(__file__).with_name("words_script.py")
    return ExportedFiles(script, settings, False, "safetensors", LOADING, ())
