"""Loads a transformers model from a folder into a staged encoder, and refuses weights that do not all arrive."""

from __future__ import annotations

import inspect
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
from tlbench_hf.text.text_convention import TextConvention
from tlbench_hf.weight_headers import TABLES, stored_tensors

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
    """Returns the encoder in a folder on the CPU in fp32, in eval mode.

    Args:
        folder: Holds config.json and safetensors weights.
        title: The backbone's name, for messages.
        content: Names the weights; None for random ones.
        depth: How many blocks to keep.
        readout: How `pool` reads.
        convention: Says how the model is called.
        find: Finds its blocks.

    Raises:
        UsageError: The folder's model cannot be used, or not at this depth.
        PluginError: A tensor of the encoder did not load.
    """
    with quiet():
        native = _loaded(folder, title, readout) if content else _random(folder, title, readout)
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
    except Exception as error:
        if depth is None:
            raise
        raise UsageError(f"{title}: {type(native).__name__} does not run with {depth} blocks: {error}") from error


@contextmanager
def drawn_with(seed: int) -> Iterator[None]:
    """Seeds what is drawn in the block, and leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the GPUs' generators too, and those are not put back.
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the library from printing reports, warnings and progress bars."""
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
    """Returns the folder's configuration, set for plain passes: no cache, no dropped layers, no extra outputs.

    Raises:
        UsageError: It is of no kind that the library knows, wants code of its own to be run, or has others loaded.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{title}: {_one_line(error)}") from error
    # once more: what the file left out, the library may have filled in
    refuse_foreign_parts(config.to_dict(), title)
    config.use_cache = config.output_hidden_states = config.output_attentions = False
    for name in _LAYER_DROPS:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    return config


def load_whole(folder: Path, title: str, auto: Any, *, pretrained: bool) -> Any:
    """Returns the model in a folder with all that it writes with, of one of the library's auto classes.

    Raises:
        UsageError: The folder's model cannot be used.
        PluginError: A tensor did not load.
    """
    config = load_config(folder, title)
    if type(config) not in auto._model_mapping:
        raise PluginError(f"{title}: transformers has no {auto.__name__} for the family {config.model_type!r}")
    with quiet():
        if not pretrained:
            return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)
        native, report = _read(folder, title, auto, config, {})
    _refuse_gaps(native, report, folder, title, pooler=True, what="model")
    return native


def _loaded(folder: Path, title: str, readout: str) -> Any:
    config = load_config(folder, title)
    auto, options = _model_class(config, title, readout)
    native, report = _read(folder, title, auto, config, options)
    _refuse_gaps(native, report, folder, title, pooler=readout == "pooler")
    return _encoder_of(native)


def _read(folder: Path, title: str, auto: Any, config: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        native, report = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **options,
        )
    except OSError as error:
        raise UsageError(f"{title}: {_one_line(error)}") from error
    except (RuntimeError, ValueError) as error:
        raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
    return native, report


def _random(folder: Path, title: str, readout: str) -> Any:
    config = load_config(folder, title)
    auto, options = _model_class(config, title, readout)
    return _encoder_of(auto.from_config(config, dtype=torch.float32, trust_remote_code=False, **options))


def _model_class(config: Any, title: str, readout: str) -> tuple[Any, dict[str, bool]]:
    # T5 and its like have their encoder as a model of its own; of BART and its like it is taken out of the whole.
    families: Any = transformers.AutoModelForTextEncoding, transformers.AutoModel
    auto = next((auto for auto in families if type(config) in auto._model_mapping), None)
    whole = auto is families[1] and config.is_encoder_decoder
    if auto is None or (whole and config.model_type not in ENCODER_DECODERS):
        raise UsageError(f"{title}: transformers has no text encoder for the family {config.model_type!r}")
    model = auto._model_mapping[type(config)]
    takes = inspect.signature(model).parameters
    return auto, {"add_pooling_layer": readout == "pooler"} if "add_pooling_layer" in takes else {}


def _encoder_of(native: Any) -> Any:
    return native.get_encoder() if native.config.model_type in ENCODER_DECODERS else native


def _refuse_gaps(
    native: nn.Module, report: Mapping[str, Any], folder: Path, title: str, *, pooler: bool, what: str = "encoder"
) -> None:
    missing = {key for key in report["missing_keys"] if pooler or not key.startswith("pooler.")}
    mismatched = {entry[0] if isinstance(entry, tuple) else str(entry) for entry in report["mismatched_keys"]}
    prefix = f"{getattr(native, 'base_model_prefix', '')}."
    parts = {name for name, _ in native.named_children()} - (set() if pooler else {"pooler"})
    tables = {tensor.name.removeprefix(prefix) for tensor in stored_tensors(folder) if tensor.is_table}
    unexpected = {key: key.removeprefix(prefix) for key in report["unexpected_keys"] if not key.endswith(TABLES)}
    left_over = {key for key, own in unexpected.items() if own.partition(".")[0] in parts and own not in tables}
    for keys, how in ((missing, "missing from"), (mismatched, "of another shape in"), (left_over, "left over in")):
        if keys:
            names = ", ".join(sorted(keys)[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise PluginError(f"{title}: tensors of the {what} are {how} the checkpoint: {names}")
    if report.get("error_msgs"):
        raise PluginError(f"{title}: {_one_line(report['error_msgs'][0])}")


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
