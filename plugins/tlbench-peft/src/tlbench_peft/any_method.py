"""Every other method of peft as a strategy, named `peft:<method>`. Imports no torch."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tlbench import Job, PluginError, UsageError
from tlbench_peft.peft_strategy import LayerAdapters

SCHEME = "peft:"
OWN = {
    "adalora": "adalora",
    "ia3": "ia3",
    "lora": "lora",
    "oft": "oft",
    "prefix_tuning": "prefix-tuning",
    "prompt_tuning": "prompt-tuning",
    "vera": "vera",
}
"""Methods with a strategy of their own, which has a search space."""
REFUSED = {
    "adaption_prompt": "it replaces the attention of Llama models that write texts",
    "cartridge": "it starts from the keys and values of a text; take prefix-tuning",
    "cpt": "it needs the tokens of a prompt with labelled examples",
    "multitask_prompt_tuning": "it needs the number of the task that each example belongs to",
    "p_tuning": "what peft saves of it does not predict again; take prompt-tuning",
    "poly": "it needs the number of the task that each example belongs to",
    "shadow": "it runs a second network beside the model, which has other outputs",
    "trainable_tokens": "it needs the numbers of the tokens to train",
    "xlora": "it needs adapters that are trained already",
}
"""Methods that need what a fit does not have, and why."""
_NORMS = frozenset({"ln_tuning"})
"""Methods that train normalisation layers."""


@dataclass(frozen=True)
class AnyMethod(LayerAdapters):
    """A method of peft with its default settings, on the layers that `targets` chooses.

    Only the learning rate is searched.
    """

    paper: ClassVar[str] = "as in peft's documentation of the method"
    convolutions: ClassVar[bool] = True
    # A name of its own for each method, where other strategies have one for the class.
    name: str = SCHEME
    settings: str = ""
    """Settings of the method's configuration in peft as name:value, joined by +, such as `r:16+alpha:32`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.given()

    def given(self) -> dict[str, Any]:
        """Returns the settings as numbers, truth values and texts.

        Raises:
            UsageError: A setting has no name or no value.
        """
        given = {}
        for part in self.settings.split("+") if self.settings else ():
            name, _, text = part.partition(":")
            if not name.isidentifier() or not text:
                raise UsageError(f"{self.name}[settings={self.settings}]: give name:value, joined by +")
            try:
                given[name] = json.loads(text)
            except ValueError:
                given[name] = text
        return given

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block if the method is as large as a LoRA of rank 16."""
        return self.matrices[1] * width * 16

    def layers(self, job: Job, first: int) -> list[str]:
        """Returns the paths of the layers to adapt: normalisation layers if the method trains those."""
        if self.name.removeprefix(SCHEME) not in _NORMS:
            return super().layers(job, first)
        names = [name for stage in job.encoder.stages[first:] for name in stage.parameters]
        paths = dict.fromkeys(name.rpartition(".")[0] for name in names)
        return [path for path in paths if "norm" in type(job.encoder.native.get_submodule(path)).__name__.lower()]

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration of the method.

        Raises:
            PluginError: The method has no such setting, or refuses its value.
        """
        from peft import PeftType
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        kind = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(self.name.removeprefix(SCHEME).upper())]
        try:
            return kind(target_modules=self.layers(job, first), **self.given())
        except (TypeError, ValueError) as error:
            raise PluginError(f"{self.name}: {' '.join(str(error).split())[:300]}: see the option settings") from error


def methods() -> list[str]:
    """Returns the methods of the installed peft, found without importing it."""
    spec = importlib.util.find_spec("peft")
    if spec is None or spec.origin is None:
        return []
    folders = (Path(spec.origin).parent / "tuners").glob("*/config.py")
    return sorted(path.parent.name for path in folders)


def resolve(name: str) -> AnyMethod:
    """Returns the strategy for a name with the scheme.

    Raises:
        UsageError: peft has no such method, it has a strategy of its own, or it needs what a fit does not have.
    """
    method = name.removeprefix(SCHEME)
    if method in OWN:
        raise UsageError(f"{name} has a strategy of its own: write {OWN[method]}")
    if method in REFUSED:
        raise UsageError(f"{name} is not available: {REFUSED[method]}")
    available = [one for one in methods() if one not in OWN and one not in REFUSED]
    if method not in available:
        raise UsageError(f"the installed peft has no method {method!r}; available are {', '.join(available)}")
    return AnyMethod(name=name)
