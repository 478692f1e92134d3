"""The plugin's hooks: the strategies of this distribution, and those named `peft:<method>`. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlbench import Strategy, hookimpl
from tlbench_peft.any_method import OWN, REFUSED, SCHEME, methods, resolve
from tlbench_peft.bitfit import BitFit
from tlbench_peft.bottleneck import BottleneckAdapter
from tlbench_peft.low_rank import AdaLora, Dora, Lora, Vera
from tlbench_peft.multiplicative import Ia3, Oft
from tlbench_peft.prompts import PrefixTuning, PromptTuning

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default options."""
    return [
        Lora(),
        Dora(),
        AdaLora(),
        Vera(),
        Ia3(),
        Oft(),
        PromptTuning(),
        PrefixTuning(),
        BitFit(),
        BottleneckAdapter(),
    ]


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the form of names that this plugin resolves: the other methods of peft."""
    return {f"{SCHEME}<method>": "strategy"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Strategy | None:
    """Returns the strategy for a method of peft.

    Raises:
        UsageError: peft has no such method, it has a strategy of its own, or it needs what a fit does not have.
    """
    return resolve(name) if kind == "strategy" and name.startswith(SCHEME) else None


@hookimpl
def tlbench_suggest(kind: str, name: str) -> list[str]:
    """Returns the strategy or the name with `peft:` before it if peft has a method of this name, else an empty list."""
    method = name.lower().replace("-", "_")
    if kind != "strategy" or method in REFUSED or method not in methods():
        return []
    return [OWN.get(method, f"{SCHEME}{method}")]
