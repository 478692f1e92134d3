"""Loads a transformers model from a folder as a staged encoder; refuses weights that do not load completely."""

from __future__ import annotations

import inspect
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from tlbench import PluginError, UsageError
from tlbench.modeling.stages.staged_encoder import Convention, StagedEncoder
from tlbench_hf.blocks import cut, find_blocks
from tlbench_hf.families import ENCODER_DECODERS
from tlbench_hf.foreign_files import refuse_foreign_parts
from tlbench_hf.sources import INPUT_FILES, INPUT_SETTINGS
from tlbench_hf.text.text_convention import TextConvention
from tlbench_hf.weight_headers import TABLES, stored_tensors

# LayerDrop skips blocks at random in training, which breaks cuts between stages.
_LAYER_DROPS = ("layerdrop", "encoder_layerdrop", "decoder_layerdrop", "layer_drop")


def load_encoder(
    folder: Path,
    *,
    title: str,
    content: str | None,
    depth: int | None,
    readout: str,
    convention: Callable[[Any], Convention] = TextConvention,
    find: Callable[[Any, str], list[str]] = find_blocks,
) -> StagedEncoder:
    """Returns the folder's encoder on the CPU in fp32, in eval mode.

    Args:
        folder: Contains config.json and safetensors weights.
        title: The backbone's name, for messages.
        content: Identifier of the pretrained weights; None for random weights.
        depth: Number of lowest blocks to keep; None keeps all blocks.
        readout: Name of the readout that the encoder's `pool` computes, such as "mean".
        convention: Creates, from the loaded model, the object that calls the model and reads its output.
        find: Returns the module paths of the model's blocks, given the model and `title`.

    Raises:
        UsageError: The model cannot be used, or does not run with `depth` blocks.
        PluginError: A tensor of the encoder did not load.
    """
    with quiet():
        native = _load_pretrained(folder, title, readout) if content else _build_random(folder, title, readout)
    blocks = find(native, title)
    if depth is not None:
        blocks = cut(native, blocks, depth, title)
    native.eval()
    weights = f"hf:{content}" if content else f"random-{uuid.uuid4().hex}"
    identity = f"{weights}#blocks={native.config.num_hidden_layers}"
    try:
        return StagedEncoder(native, convention(native), blocks, readout=readout, identity=identity)
    except PluginError as error:
        raise PluginError(f"{title}: {error}") from error
    # A truncated model may fail in any way: some families' code relies on their full number of blocks.
    except Exception as error:
        if depth is None:
            raise
        raise UsageError(f"{title}: {type(native).__name__} does not run with {depth} blocks: {error}") from error


def save_model(native: Any, source: Path, folder: Path) -> None:
    """Writes a model's configuration and weights, and copies the tokenizer or image processor of its source folder."""
    with quiet():
        native.save_pretrained(folder)
    for pattern in (*INPUT_FILES, *INPUT_SETTINGS):
        for file in source.glob(pattern):
            shutil.copyfile(file, folder / file.name)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch's CPU generator inside the `with` statement and restores its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed the GPU generators, which fork_rng(devices=[]) does not restore.
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the library's loading reports, warnings and progress bars inside the `with` statement."""
    logging: Any = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_config(folder: Path, title: str) -> Any:
    """Returns the folder's configuration with key-value cache, LayerDrop and extra outputs turned off.

    Raises:
        UsageError: The library does not know the model type, or the files need code or models from elsewhere.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{title}: {_one_line(error)}") from error
    # Checked again, because the library may have filled in values that the file does not have.
    refuse_foreign_parts(config.to_dict(), title)
    config.use_cache = config.output_hidden_states = config.output_attentions = False
    for name in _LAYER_DROPS:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    return config


def load_whole(folder: Path, title: str, auto: Any, *, pretrained: bool) -> Any:
    """Returns the folder's complete model, decoder included, loaded with one of the library's auto classes.

    Raises:
        UsageError: The model cannot be used.
        PluginError: A tensor did not load, or the family has no such class.
    """
    config = load_config(folder, title)
    if type(config) not in auto._model_mapping:
        raise PluginError(f"{title}: transformers has no {auto.__name__} for the family {config.model_type!r}")
    with quiet():
        if not pretrained:
            return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        native, report = _from_pretrained(folder, title, auto, config, {})
    _refuse_incomplete(native, report, folder, title, pooler=True, what="model")
    return native


def _load_pretrained(folder: Path, title: str, readout: str) -> Any:
    config = load_config(folder, title)
    auto, options = _model_class(config, title, readout)
    native, report = _from_pretrained(folder, title, auto, config, options)
    _refuse_incomplete(native, report, folder, title, pooler=readout == "pooler")
    return _encoder_of(native)


def _from_pretrained(folder: Path, title: str, auto: Any, config: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        native, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            # Pickled weights are never loaded, because a pickle can run code.
            use_safetensors=True,
            output_loading_info=True,
            # Otherwise the library raises without naming the mismatched tensors; `_refuse_incomplete` names them.
            ignore_mismatched_sizes=True,
            **options,
        )
    except OSError as error:
        raise UsageError(f"{title}: {_one_line(error)}") from error
    except (RuntimeError, ValueError) as error:
        raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
    return native, report


def _build_random(folder: Path, title: str, readout: str) -> Any:
    config = load_config(folder, title)
    auto, options = _model_class(config, title, readout)
    return _encoder_of(auto.from_config(config, dtype=torch.float32, trust_remote_code=False, **options))


def _model_class(config: Any, title: str, readout: str) -> tuple[Any, dict[str, bool]]:
    # T5's encoder has a model class of its own; BART's is taken out of the whole model.
    auto_classes: Any = transformers.AutoModelForTextEncoding, transformers.AutoModel
    auto = next((auto for auto in auto_classes if type(config) in auto._model_mapping), None)
    whole = auto is auto_classes[1] and config.is_encoder_decoder
    if auto is None or (whole and config.model_type not in ENCODER_DECODERS):
        raise UsageError(f"{title}: transformers has no text encoder for the family {config.model_type!r}")
    model = auto._model_mapping[type(config)]
    # BERT's and others' poolers are optional; one that is not read would only add untrained parameters.
    takes = inspect.signature(model).parameters
    return auto, {"add_pooling_layer": readout == "pooler"} if "add_pooling_layer" in takes else {}


def _encoder_of(native: Any) -> Any:
    return native.get_encoder() if native.config.model_type in ENCODER_DECODERS else native


def _refuse_incomplete(
    native: nn.Module, report: Mapping[str, Any], folder: Path, title: str, *, pooler: bool, what: str = "encoder"
) -> None:
    """Refuses a model if the library's loading report lists missing, mismatched or left-over tensors.

    Tensors of the pooler are ignored unless `pooler`.

    Raises:
        PluginError: The report lists such tensors, or another loading error.
    """
    missing = {key for key in report["missing_keys"] if pooler or not key.startswith("pooler.")}
    mismatched = {entry[0] if isinstance(entry, tuple) else str(entry) for entry in report["mismatched_keys"]}
    prefix = f"{getattr(native, 'base_model_prefix', '')}."
    parts = {name for name, _ in native.named_children()} - (set() if pooler else {"pooler"})
    # Position indices and masks in older files are computed by newer code, and are not left-over weights.
    tables = {tensor.name.removeprefix(prefix) for tensor in stored_tensors(folder) if tensor.is_table}
    unexpected = {key: key.removeprefix(prefix) for key in report["unexpected_keys"] if not key.endswith(TABLES)}
    # Left-over tensors of other modules, such as a pretraining head, are expected; those of the encoder are not.
    left_over = {key for key, own in unexpected.items() if own.partition(".")[0] in parts and own not in tables}
    for keys, problem in ((missing, "missing from"), (mismatched, "of another shape in"), (left_over, "left over in")):
        if keys:
            names = ", ".join(sorted(keys)[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise PluginError(f"{title}: tensors of the {what} are {problem} the checkpoint: {names}")
    if report.get("error_msgs"):
        raise PluginError(f"{title}: {_one_line(report['error_msgs'][0])}")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
