"""That a backbone keeps to the device it was put on; checked where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.outputs import Classes
from tlbench.contracts.task import Examples
from tlbench.modeling.heads import new_head

if TYPE_CHECKING:
    from torch.utils._python_dispatch import TorchDispatchMode


class DeviceConformance:
    """The check of `BackboneConformance` that needs no GPU to find what would fail on one."""

    backbone: ClassVar[Backbone]

    def examples(self) -> Examples:
        """Returns a few examples of two classes."""
        raise NotImplementedError

    def test_a_step_keeps_to_its_device(self) -> None:
        """What was left on the host, or is made there in a pass, meets the rest and raises.

        Torch's meta device stands for a GPU: it computes nothing, but knows where everything is. Where shapes depend
        on numbers, it cannot go on, and nothing is said of the backbone.
        """
        import torch

        from tlbench.modeling.data import to_device

        meta, output = torch.device("meta"), Classes(("no", "yes"))
        data = self.backbone.featurize(self.examples(), output)
        encoder = self.backbone.load()
        head = new_head(self.backbone, output, encoder)
        encoder.to(meta).train()
        head.to(meta).train()
        batch, wanted = to_device(data.batch(range(len(data))), meta), head.targets(data).to(meta)
        try:
            with _any_number():
                loss = head.loss(head(encoder, encoder(batch)), wanted)
                loss.backward()
        except NotImplementedError as error:
            pytest.skip(f"shapes depend on numbers: {str(error)[:80]}")
        assert loss.device == meta, "the loss left the device"
        moved = [p.grad.device for p in (*encoder.parameters(), *head.parameters()) if p.grad is not None]
        assert moved
        assert set(moved) == {meta}


def _any_number() -> TorchDispatchMode:
    """Returns a region in which a number that is read from the device, to branch on it, is 0."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Numbers(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is torch.ops.aten._local_scalar_dense.default:
                return torch.zeros((), dtype=args[0].dtype).item()
            return func(*args, **(kwargs or {}))

    return Numbers()  # type: ignore[no-untyped-call]
