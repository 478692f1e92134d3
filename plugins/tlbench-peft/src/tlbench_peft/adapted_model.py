"""Models with an adapter of peft, and their predictors, which are saved in peft's own format."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tlbench import Job, PluginError, UsageError
from tlbench.contracts.exports.forms import Adapter, Exportable, FeatureModel
from tlbench.contracts.untrusted.settings_files import read_json_object
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.heads import Head
from tlbench.modeling.predictor_files import read_settings, read_weights, write_predictor
from tlbench.training import Model, ModelPredictor

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_UNCOMPARED = {"auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision", "rank_pattern"}
"""Entries of a saved configuration that may differ from those of the model that it is loaded into."""


class AdaptedModel(Model):
    """A model whose encoder has an adapter of peft."""

    adapter: Any
    """The `peft.PeftModel` whose layers were put into the encoder. It is no submodule, so that no weight is listed
    twice."""

    def __init__(self, encoder: Encoder, head: Head, start: int, config: Any) -> None:
        """Adds an adapter to the encoder, whose weights must be frozen.

        Args:
            encoder: The encoder.
            head: The head.
            start: The number of lowest stages that have no adapter and are cached.
            config: The configuration of peft.

        Raises:
            PluginError: peft cannot adapt this model, or nothing in it.
        """
        from peft import get_peft_model

        try:
            adapter = get_peft_model(encoder.native, config)
        except (AttributeError, ImportError, KeyError, NotImplementedError, TypeError, ValueError) as error:
            # peft refuses a layer or a model by whatever exception its method meets first.
            reason = " ".join(str(error).split())[:300]
            raise PluginError(f"peft cannot adapt {type(encoder.native).__name__}: {reason}") from error
        if config.is_prompt_learning:
            # Virtual tokens are added by peft's own forward pass; layers are exchanged inside the module.
            encoder.native = adapter
        super().__init__(encoder, head, start)
        object.__setattr__(self, "adapter", adapter.eval())


class AdaptedPredictor(ModelPredictor):
    """Predicts with an adapted model; saves the adapter as peft does, and the head beside it.

    A backbone whose frozen weights were changed before is saved with the head.
    """

    model: AdaptedModel

    def save(self, folder: Path) -> None:
        """Writes `adapter_config.json` and `adapter_model.safetensors`, which peft can load, and the trained head."""
        head = self.model.head
        weights = {**_trained(head), **self._changed_backbone()}
        write_predictor(folder, type(self).__name__, getattr(head, "output", None), weights=weights)
        _write_adapter(self.model.adapter, folder)

    def exportable(self, *, keep_adapter: bool = False) -> Exportable:
        """Returns the head and the encoder, with the adapter merged into its weights or beside them.

        Raises:
            UsageError: The adapter cannot be merged, or belongs to a model that generates texts and is to be kept.
        """
        encoder, adapter = self.model.encoder, self.model.adapter
        if keep_adapter:
            form = self.model.head.exportable(encoder)
            if not isinstance(form, FeatureModel):
                raise UsageError("the adapter of a model that generates texts is merged: leave --adapter out")
            base = partial(_write_adapter, adapter, base="base")
            return replace(form, adapter=Adapter(base, partial(_without_adapter, adapter)))
        if adapter.peft_config["default"].is_prompt_learning:
            raise UsageError("virtual tokens cannot be merged into the weights: add --adapter")
        try:
            encoder.native = adapter.merge_and_unload()
        except (AttributeError, NotImplementedError, ValueError) as error:
            raise UsageError(f"this adapter cannot be merged into the weights: {error}: add --adapter") from error
        return self.model.head.exportable(encoder)

    @classmethod
    def load(cls, model: Model, job: Job, folder: Path) -> AdaptedPredictor:
        """Returns the predictor that was saved by `save`, on a model with the same kind of adapter.

        Raises:
            UsageError: The folder has no such predictor, or its adapter or output is another one.
        """
        from peft import get_peft_model_state_dict, set_peft_model_state_dict

        assert isinstance(model, AdaptedModel)
        read_settings(folder, cls.__name__, getattr(model.head, "output", None))
        own, frozen = _trained(model.head), _frozen(model)
        shapes = {name: tuple(tensor.shape) for name, tensor in {**own, **frozen}.items()}
        saved = read_weights(folder, shapes, optional=frozen.keys())
        _check_config(folder / CONFIG, model.adapter.peft_config["default"].to_dict())
        expected = get_peft_model_state_dict(model.adapter, save_embedding_layers=False)
        adapter = _read_adapter(folder / WEIGHTS, expected)
        # Copied only after all checks, so that a damaged file leaves the model as it was.
        tensors = {**own, **frozen}
        for name, tensor in saved.items():
            tensors[name].data.copy_(tensor)
        set_peft_model_state_dict(model.adapter, adapter)
        predictor = cls(model, job.precision, job.activations)
        predictor.note_trained(weight for name, weight in _frozen_weights(model).items() if name in saved)
        return predictor

    def _changed_backbone(self) -> dict[str, Tensor]:
        """Returns the frozen tensors of the backbone if training before the adapter's has changed them, else none."""
        changed = any(weight in self._saved for weight in _frozen_weights(self.model).values())
        return _frozen(self.model) if changed else {}


def _write_adapter(adapter: Any, folder: Path, base: str | None = None) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors`; `base` replaces the name of the adapted model."""
    from peft import get_peft_model_state_dict

    config = copy.copy(adapter.peft_config["default"])
    config.inference_mode = True
    if base is not None:
        config.base_model_name_or_path = base
    config.save_pretrained(str(folder))
    tensors = get_peft_model_state_dict(adapter, save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})


def _without_adapter(adapter: Any) -> Any:
    """Takes the adapter out of the model, and returns the model as it was."""
    if adapter.peft_config["default"].is_prompt_learning:
        return adapter.get_base_model()
    # `unload` would keep weights into which the adapter was merged.
    if any(getattr(module, "merged", False) for module in adapter.modules()):
        adapter.unmerge_adapter()
    return adapter.unload()


def _trained(head: Head) -> dict[str, Tensor]:
    """Returns a head's trained weights and its buffers."""
    return {
        **{name: weight for name, weight in head.named_parameters() if weight.requires_grad},
        **dict(head.named_buffers()),
    }


def _frozen_weights(model: Model) -> dict[str, nn.Parameter]:
    """Returns the encoder's weights that the adapter leaves as they are."""
    named = model.encoder.named_parameters()
    return {f"encoder.{name}": weight for name, weight in named if not weight.requires_grad}


def _frozen(model: Model) -> dict[str, Tensor]:
    """Returns the encoder's weights that the adapter leaves as they are, and its buffers."""
    return {**_frozen_weights(model), **{f"encoder.{name}": one for name, one in model.encoder.named_buffers()}}


def _check_config(path: Path, expected: Mapping[str, Any]) -> None:
    """Checks that a saved configuration is that of the model's adapter.

    Raises:
        UsageError: The file cannot be read, or describes another adapter.
    """
    try:
        saved = read_json_object(path)
    except ValueError as error:
        raise UsageError(f"no adapter can be read: {error}") from error
    for name, value in _plain(expected).items():
        # Another version of peft may have settings that this one lacks.
        if name not in _UNCOMPARED and name in saved and _plain(saved[name]) != value:
            raise UsageError(f"{path} describes another adapter: {name} is {saved[name]!s:.60}, not {value!s:.60}")


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it, with the members of sets and lists in one order."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | list | tuple):
        return sorted((_plain(item) for item in value), key=repr)
    return getattr(value, "value", value)


def _read_adapter(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the saved weights of an adapter.

    Raises:
        UsageError: The file cannot be read, or has other names, shapes or numbers than the model's adapter.
    """
    try:
        saved = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: no weights can be read from it: {error}") from error
    if names := sorted(saved.keys() ^ expected.keys()):
        raise UsageError(f"{path} has other weights than this adapter: {', '.join(names[:3])}")
    for name, tensor in saved.items():
        if (tensor.shape, tensor.dtype) != (expected[name].shape, expected[name].dtype):
            raise UsageError(f"{path}: {name} is {tuple(tensor.shape)} {tensor.dtype}, not as in this adapter")
    return saved
