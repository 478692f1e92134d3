"""Reads what a network computes between its stages; predict.py gives it to head.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 16


class StageMaps:
    """A function from rows of one RGB image to the outputs of several stages, (N, ...) each."""

    def __init__(
        self, network: nn.Module, run: Callable[[Sequence[Any]], Any], points: Sequence[dict[str, Any]]
    ) -> None:
        """Takes a network, a function that runs it on up to 16 rows, and where outputs are: head.maps of model.json."""
        self.network, self.run, self.points = network, run, points

    def __call__(self, rows: Sequence[Any]) -> list[Tensor]:
        """Returns the output of each stage for the rows."""
        parts: list[list[Tensor]] = [[] for _ in self.points]
        calls: dict[str, int] = {}

        def reading(path: str) -> Callable[[nn.Module, Any, Any], None]:
            def read(_module: nn.Module, args: Any, kwargs: Any) -> None:
                count = calls.get(path, 0)
                calls[path] = count + 1
                for place, point in enumerate(self.points):
                    if point["path"] == path and point["call"] == count:
                        slot = point["argument"]
                        parts[place].append((args[slot] if isinstance(slot, int) else kwargs[slot]).detach().clone())

            return read

        hooks = [
            self.network.get_submodule(path).register_forward_pre_hook(reading(path), with_kwargs=True)
            for path in {point["path"] for point in self.points if point["path"]}
        ]
        try:
            for start in range(0, len(rows), ROWS):
                calls.clear()
                with torch.inference_mode():
                    last = torch.as_tensor(self.run(rows[start : start + ROWS]))
                for place, point in enumerate(self.points):
                    if not point["path"]:
                        parts[place].append(last)
        finally:
            for hook in hooks:
                hook.remove()
        return [torch.cat(part) for part in parts]
