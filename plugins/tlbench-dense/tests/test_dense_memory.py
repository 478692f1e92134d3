"""The estimate of memory counts heads over maps: it is near the peaks that records of `dense-lite` have."""

import pytest
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks
from tlbench_finetune.finetuning.frozen_below import HeadOnly
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.efficientnet_lite import EfficientNetLite
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench.planning.capacity import fit_bytes

MEBIBYTE = 1 << 20
FULL = FullFinetune()
LITE, RESNET = EfficientNetLite("efficientnet-lite0", size=96), FractalBackbone("fractal-resnet", size=96)


@pytest.mark.parametrize(
    ("backbone", "task", "strategy", "peak"),
    [
        (LITE, DigitMasks(), HeadOnly(), 397), (LITE, DigitBoxes(), HeadOnly(), 428),
        (LITE, DigitBoxes(), FullFinetune(), 650), (RESNET, DigitMasks(), HeadOnly(), 304),
        (RESNET, DigitMasks(), FullFinetune(), 245),
    ],
    ids=lambda item: getattr(item, "name", item),
)  # fmt: skip
def test_estimates_are_within_30_percent_of_measured_peaks(backbone, task, strategy, peak):
    # Peaks of workers beyond a new one in MiB, from records of dense-lite of 2026-11-30.
    estimate = fit_bytes(strategy.resources(backbone, task), host=True)
    assert estimate == pytest.approx(peak * MEBIBYTE, rel=0.3)


def test_cards_say_the_shapes_of_maps():
    for backbone in (LITE, RESNET, FractalBackbone("fractal-vit")):
        view, card = DigitMasks().output.view(backbone.load(pretrained=False)), backbone.card()
        assert card.maps == tuple((level.stride, level.shape[0]) for level in view.levels)
        assert card.image_side == view.size[0]


def test_heads_count_in_the_estimate_by_their_form_and_by_the_size_of_images():
    def needed(task, backbone, strategy=FULL):
        return fit_bytes(strategy.resources(backbone, task), host=True)

    small, large = RESNET, FractalBackbone("fractal-resnet", size=384)
    for task in (DigitMasks(), DigitBoxes()):
        assert needed(task, large) > needed(task, small)
    # The memory of training grows with the head.
    assert needed(DigitMasks(decoder="fpn"), small) > needed(DigitMasks(), small)
    assert needed(DigitBoxes(decoder="faster-rcnn"), small) > needed(DigitBoxes(decoder="fcos"), small)
    # A frozen pyramid is kept for all examples, up to what is read from disk.
    many = DigitMasks(train=100_000)
    assert needed(many, small, HeadOnly()) - needed(DigitMasks(), small, HeadOnly()) == pytest.approx(
        (1 << 30) - sum(c * (96 // s) ** 2 for s, c in small.card().maps) * 4 * sum(DigitMasks().sizes.values())
    )
    assert needed(many, small) == needed(DigitMasks(), small)
    # Nothing is known of a model that is not on this machine.
    assert FullFinetune().resources(TimmBackbone("timm:resnet18", "resnet18.a1_in1k"), many).memory_bytes is None
