"""Conformance check that a backbone computes on the device it was moved to; needs no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.outputs import Output
from tlbench.contracts.task import Examples

if TYPE_CHECKING:
    from torch.utils._python_dispatch import TorchDispatchMode


class DeviceConformance:
    """The part of `BackboneConformance` that detects tensors left on the CPU without needing a GPU."""

    backbone: ClassVar[Backbone]

    def examples(self) -> Examples:
        """Returns a few examples of two classes."""
        raise NotImplementedError

    @property
    def output(self) -> Output:
        """An output that the backbone supports, of whole examples."""
        raise NotImplementedError

    def test_training_step_stays_on_its_device(self) -> None:
        """A forward and a backward pass use tensors of the encoder's own device only.

        Torch's meta device takes the place of a GPU: it computes nothing but raises where devices are mixed. It cannot
        run an encoder whose shapes depend on values; for such an encoder the test is skipped.
        """
        import torch

        from tlbench.modeling.data import to_device
        from tlbench.modeling.heads import new_head

        meta, output = torch.device("meta"), self.output
        data = self.backbone.featurize(self.examples(), output)
        encoder = self.backbone.load()
        head = new_head(self.backbone, output, encoder)
        # After featurizing and building the head, which read weights; in training mode, in which dropout runs too.
        encoder.to(meta).train()
        head.to(meta).train()
        batch, targets = to_device(data.batch(range(len(data))), meta), head.targets(data).to(meta)
        try:
            with _reading_numbers_as_zero():
                loss = head.loss(head(encoder, encoder(batch)), targets)
                loss.backward()
        except NotImplementedError as error:
            pytest.skip(f"shapes depend on numbers, which the meta device does not have: {str(error)[:80]}")
        assert loss.device == meta, "the loss left the device"
        devices = [p.grad.device for p in (*encoder.parameters(), *head.parameters()) if p.grad is not None]
        assert devices, "no parameter got a gradient"
        assert set(devices) == {meta}, "a gradient is on another device"


def _reading_numbers_as_zero() -> TorchDispatchMode:
    """Returns a context manager in which reading a number from a tensor (`.item()`, `if tensor:`) gives 0."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Numbers(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            # Encoders branch on such numbers, for example on whether a mask is all ones; any branch will do here.
            if func is torch.ops.aten._local_scalar_dense.default:
                return torch.zeros((), dtype=args[0].dtype).item()
            return func(*args, **(kwargs or {}))

    return Numbers()  # type: ignore[no-untyped-call]
