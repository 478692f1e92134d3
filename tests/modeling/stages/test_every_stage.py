"""The view of an encoder that reads out all of its stages side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Batch, Data
from tlbench.modeling.disk.disk_cache import DiskCache
from tlbench.modeling.encoder import Encoder, Hidden, Stage
from tlbench.modeling.stages.every_stage import EveryStage
from tlbench.testing.toys import ToyBackbone, ToyTask


class Maps(Encoder):
    """Two stages of feature maps with 2 and 6 channels, and a readout of the library's own."""

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.native = nn.Linear(1, 1)
        self.width, self.readout, self.identity = 6, "pooler", "maps"
        self.positions = (1, 2) if channels_last else (2, 3)

    @property
    def stages(self) -> Sequence[Stage]:
        return [Stage("stem", ("weight", "bias")), Stage("block", ())]

    def forward(self, batch: Batch | Hidden, start: int = 0, stop: int | None = None) -> Hidden:
        x = batch.x if isinstance(batch, Hidden) else batch["x"]
        channel = -1 if self.positions == (1, 2) else 1
        return Hidden(torch.cat([x] * 3, channel) if start or stop is None else x)

    def pool(self, hidden: Hidden) -> Tensor:
        assert 6 in hidden.x.shape, "the library's readout is made for the last stage"
        return hidden.x.amax(self.positions)


@pytest.mark.parametrize("channels_last", [False, True])
def test_lower_feature_maps_are_read_by_their_mean_where_the_readout_is_the_librarys(channels_last: bool) -> None:
    x = torch.rand(3, 2, 4, 5)
    batch = {"x": x.permute(0, 2, 3, 1) if channels_last else x}
    view = EveryStage(Maps(channels_last), batch)
    assert view.widths == (2, 6)
    found = view.pool(view(batch))
    assert torch.allclose(found[:, :2], x.mean((2, 3)))
    assert torch.equal(found[:, 2:], x.amax((2, 3)).repeat(1, 3))


def _toy() -> tuple[Encoder, Data]:
    backbone, task = ToyBackbone(), ToyTask()
    examples = task.split("validation")
    assert examples is not None
    return backbone.load(), backbone.featurize(examples, task.output)


def test_positions_can_be_put_side_by_side() -> None:
    encoder, data = _toy()
    batch = data.batch(range(4))
    hidden = EveryStage(encoder, batch, tokens=True)(batch)
    wanted = encoder(batch)
    assert torch.equal(hidden.x[..., -16:], wanted.x)
    assert hidden.mask is not None
    assert torch.equal(hidden.mask, wanted.mask)


def test_a_view_is_not_cut() -> None:
    encoder, data = _toy()
    batch = data.batch(range(4))
    view = EveryStage(encoder, batch)
    hidden = view(batch)
    assert view(hidden, start=4) is hidden
    for start, stop in ((0, 2), (2, None)):
        with pytest.raises(ValueError, match="every stage is read"):
            view(batch, start, stop)


def test_what_a_view_of_pretrained_weights_reads_is_kept_on_disk(tmp_path: Path) -> None:
    encoder, data = _toy()
    found = []
    for _ in range(2):
        activations = Activations(disk=DiskCache(tmp_path, 1 << 20, reserve_bytes=0))
        activations.trust(encoder)
        with activations.metering() as usage:
            found.append(activations.features(EveryStage(encoder, data.batch([0])), data))
        assert [key.weights for key in usage.read] == [f"{encoder.identity}:every-stage"]
    assert torch.equal(*found)
    assert len([path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > found[0].nbytes]) == 1
    with torch.no_grad():
        next(iter(encoder.parameters())).add_(1)
    assert not torch.equal(found[0], activations.features(EveryStage(encoder, data.batch([0])), data))
