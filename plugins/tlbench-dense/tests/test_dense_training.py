"""Training equals a plain loop of torchvision, targets move with their images, and windows are joined."""

import contextlib
import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image
from tlbench_dense.kinds.boxes import Boxes
from tlbench_dense.kinds.masks import Masks
from tlbench_dense.map_heads.map_head import nearest
from tlbench_dense.pyramid.feature_maps import feature_maps
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks
from tlbench_dense.standalone import box_texts, detectors
from tlbench_dense.standalone.box_texts import Box, numbers_in
from tlbench_dense.standalone.class_runs import IGNORED, decoded, encoded
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_timm.fractals.backbones import FractalBackbone
from torch import nn
from torchvision.models.detection.faster_rcnn import FasterRCNN
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from tlbench import Example, Examples, Protocol
from tlbench.testing.jobs import make_job

RESNET = FractalBackbone("fractal-resnet", size=64)
SIDE = 64


def _images(count: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)) for _ in range(count)]


class _Plain(nn.Module):
    """A backbone of timm with a feature pyramid network, as torchvision's detectors take it."""

    def __init__(self, native: nn.Module, norms: nn.Module, pyramid: FeaturePyramidNetwork, channels: int) -> None:
        super().__init__()
        self.native, self.norms, self.pyramid, self.out_channels = native, norms, pyramid, channels

    def forward(self, x):
        maps = self.native.forward_intermediates(x, indices=[1, 2, 3, 4], intermediates_only=True)
        named = [(str(i), norm(one)) for i, (norm, one) in enumerate(zip(self.norms, maps, strict=True))]
        return self.pyramid(OrderedDict(named))


def _torchvision(kind: str, plain: nn.Module, ours: detectors.PyramidDetector) -> nn.Module:
    """torchvision's own detector, with its own transform, on copies of the same weights."""
    common = {"min_size": SIDE, "max_size": SIDE, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    if kind != "faster-rcnn":
        anchors, head = copy.deepcopy((ours.detector.anchor_generator, ours.detector.head))
        return (FCOS if kind == "fcos" else RetinaNet)(plain, 3, anchor_generator=anchors, head=head, **common)
    anchors, rpn_head = copy.deepcopy((ours.rpn.anchor_generator, ours.rpn.head))
    box_head, predictor = copy.deepcopy((ours.roi_heads.box_head, ours.roi_heads.box_predictor))
    return FasterRCNN(
        plain, None, rpn_anchor_generator=anchors, rpn_head=rpn_head, rpn_post_nms_top_n_train=detectors.PROPOSALS,
        rpn_post_nms_top_n_test=detectors.PROPOSALS, box_roi_pool=MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2),
        box_head=box_head, box_predictor=predictor, box_batch_size_per_image=detectors.SAMPLED, **common,
    )  # fmt: skip


def _trained(kind: str, whole: nn.Module) -> list[nn.Module]:
    if kind != "faster-rcnn":
        return [(whole.detector if isinstance(whole, detectors.PyramidDetector) else whole).head]
    return [whole.rpn.head, whole.roi_heads.box_head, whole.roi_heads.box_predictor]


@pytest.mark.equivalence
@pytest.mark.parametrize("kind", ["fcos", "retinanet", "faster-rcnn"])
def test_a_step_of_detection_equals_torchvision(kind):
    output = Boxes(("a", "b", "c"), kind)
    boxes = [(Box(0, 4, 4, 30, 28), Box(2, 30, 35, 60, 63)), (), (Box(1, 10, 20, 22, 40),)]
    examples = Examples(Example(str(i), (image,), boxes[i]) for i, image in enumerate(_images(3)))
    torch.manual_seed(0)
    encoder = RESNET.load()
    view = feature_maps(encoder)
    head = output.head(view).train()
    view.train()
    data = RESNET.featurize(examples, output)
    # In fp64, where sums in another order agree to 1e-10.
    view.double()
    head.double()
    batch = {"pixel_values": data.batch(range(3))["pixel_values"].double()}

    ours = head.detector
    plain = _Plain(*copy.deepcopy((encoder.native, ours.norms, ours.pyramid)), detectors.CHANNELS)
    theirs = _torchvision(kind, plain, ours).double().train()
    # Class 0 of Faster R-CNN is no object.
    shift = int(kind == "faster-rcnn")
    targets = [
        {
            "boxes": torch.tensor([box[1:5] for box in of_image], dtype=torch.float64).reshape(-1, 4),
            "labels": torch.tensor([box.label + shift for box in of_image], dtype=torch.int64),
        }
        for of_image in boxes
    ]
    # Faster R-CNN draws the proposals that it is trained on, after torchvision's transform has drawn a size.
    torch.manual_seed(1)
    loss = head.loss(head(view, view(batch)), head.targets(data).double())
    if kind == "faster-rcnn":
        theirs.rpn.register_forward_pre_hook(lambda *_: torch.manual_seed(1) and None)
    their_loss = sum(theirs(list(batch["pixel_values"]), targets).values())
    assert loss.item() == pytest.approx(their_loss.item(), abs=1e-10)
    ours_all = [encoder.native, ours.norms, ours.pyramid, *_trained(kind, ours)]
    theirs_all = [plain.native, plain.norms, plain.pyramid, *_trained(kind, theirs)]
    for value, modules in ((loss, ours_all), (their_loss, theirs_all)):
        optimizer = torch.optim.AdamW([weight for module in modules for weight in module.parameters()], lr=1e-3)
        value.backward()
        optimizer.step()
    moved = 0.0
    before = dict(RESNET.load().native.double().named_parameters())
    for one, other in zip(ours_all, theirs_all, strict=True):
        for weight, their_weight in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.allclose(weight, their_weight, rtol=0, atol=1e-9)
    for name, weight in encoder.native.named_parameters():
        moved = max(moved, float((weight.detach() - before[name]).abs().max()))
    assert moved > 5e-4

    # One step has not taught much, so that boxes of any score count: class, corners and score are the same.
    view.eval(), head.eval(), theirs.eval()
    for one in (ours.detector, theirs) if kind != "faster-rcnn" else ():
        one.score_thresh, one.nms_thresh, one.detections_per_img = 0.0, 0.5, 20
    with torch.no_grad():
        found = head.outputs(head(view, view(batch))).values
        wanted = theirs(list(batch["pixel_values"]))
    assert sum(map(len, found)) > 0
    for rows, of_image in zip(found, wanted, strict=True):
        assert np.array_equal(rows[:, 0], of_image["labels"].numpy() - shift)
        assert rows[:, 1:5] == pytest.approx(of_image["boxes"].numpy(), abs=1e-4)
        assert rows[:, 5] == pytest.approx(of_image["scores"].numpy(), abs=1e-6)


def test_as_many_boxes_are_found_as_are_kept():
    assert detectors.MOST_BOXES == box_texts.MOST_BOXES


@pytest.mark.equivalence
def test_a_step_of_segmentation_equals_a_plain_loop():
    task = DigitMasks(train=6, validation=3, test=3, side=SIDE)
    view = feature_maps(RESNET.load())
    torch.manual_seed(0)
    head = task.output.head(view)
    data = RESNET.featurize(task.split("train"), task.output)
    batch, targets = data.batch(range(6)), head.targets(data)
    logits = head(view, view(batch))
    full = nn.functional.interpolate(logits, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    wanted = torch.stack([torch.from_numpy(decoded(example.target)) for example in data.examples]).long()
    assert float(head.loss(logits, targets)) == pytest.approx(
        float(nn.functional.cross_entropy(full, wanted)), abs=1e-5
    )
    # A linear layer on the concatenation of all levels is the sum of the layers of each.
    maps = [
        nn.functional.interpolate(norm(x), size=logits.shape[-2:], mode="bilinear", align_corners=False)
        for norm, x in zip(head.decoder.norms, view.maps(view(batch)), strict=True)
    ]
    weight = torch.cat([layer.weight for layer in head.decoder.layers], dim=1)
    joined = nn.functional.conv2d(torch.cat(maps, dim=1), weight, sum(layer.bias for layer in head.decoder.layers))
    head.eval()
    assert torch.allclose(joined, head.train()(view, view(batch)), atol=1e-4)


def test_ignored_pixels_and_images_without_objects_give_finite_losses():
    image = _images(1)
    view = feature_maps(RESNET.load())
    detecting = [(Boxes(("a",), kind), ()) for kind in ("fcos", "retinanet", "faster-rcnn")]
    for output, target in ((Masks(("a", "b")), encoded(np.full((SIDE, SIDE), IGNORED))), *detecting):
        head = output.head(view)
        data = RESNET.featurize(Examples([Example("x", tuple(image), target)]), output)
        head.eval()
        loss = head.loss(head(view, view(data.batch([0]))), head.targets(data))
        assert torch.isfinite(loss)
        loss.backward()


@pytest.mark.parametrize("seed", range(3))
def test_targets_move_with_their_images(seed):
    """A white square is at its target after every augmentation."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[20:40, 16:44] = 255
    classes = np.zeros((SIDE, SIDE), dtype=np.uint8)
    classes[20:40, 16:44] = 1
    view, image = feature_maps(RESNET.load()), Image.fromarray(pixels)
    targets = {Masks(("a", "b")): encoded(classes), Boxes(("a",)): (Box(0, 16, 20, 44, 40),)}
    for output, target in targets.items():
        data = output.head(view).augmented(RESNET.featurize(Examples([Example("x", (image,), target)]), output))
        assert data.augmented
        torch.manual_seed(seed)
        batch = data.batch([0])
        white = (batch["pixel_values"][0].mean(0) > 0.5).numpy()
        assert white.sum() > 200
        moved = batch["targets"][0].numpy()
        if isinstance(output, Masks):
            # Interpolation blurs the border of the image, not that of the map.
            assert ((moved == 1) == white)[moved != IGNORED].mean() > 0.96
        else:
            rows, columns = np.nonzero(white)
            seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(moved[0, 1:] - seen).max() <= 2
            assert (moved[1:] == -1).all()


def test_an_augmented_fit_reads_moved_targets(monkeypatch):
    task = DigitBoxes(train=6, validation=3, test=3, side=32)
    strategy = FullFinetune(augmentation="flip-shift", train_batch_size=3)
    job = make_job(
        strategy, FractalBackbone("fractal-resnet", size=32), task, protocol=Protocol(max_steps=2, precision="fp32")
    )
    seen = []
    loss = type(job.head).loss
    monkeypatch.setattr(
        type(job.head), "loss", lambda head, logits, targets: seen.append(targets) or loss(head, logits, targets)
    )
    still = job.head.targets(job.train)
    strategy.fit(job)
    assert len(seen) == 2
    assert not any(torch.equal(row, other) for targets in seen for row in targets for other in still)


def test_windows_are_joined_to_the_image():
    """Each window says the class of its pixels with certainty, and the image has them all at their places."""
    image = Image.new("RGB", (100, 70))
    classes = np.add.outer(np.arange(70) // 35, np.arange(100) // 25) % 3
    output = Masks(("a", "b", "c"), window=40)
    view = feature_maps(RESNET.load())
    head = output.head(view)
    data = RESNET.featurize(Examples([Example("x", (image,), encoded(classes))]), output)
    assert len(data) == 12
    targets = head.targets(data)
    assert targets.shape == (12, SIDE, SIDE)
    small = nn.functional.one_hot(targets.long(), 3).permute(0, 3, 1, 2).float()
    merged = head.merge([head.outputs(20 * small)], data)
    agreement = (decoded(merged.values[0]) == classes).mean()
    assert agreement > 0.95


def test_boxes_return_to_the_pixels_of_their_images():
    output = Boxes(("a", "b"))
    view = feature_maps(RESNET.load())
    head = output.head(view)
    example = Example("x", (Image.new("RGB", (128, 32)),), (Box(1, 10, 4, 60, 20), Box(0, 0, 0, 8, 8, crowd=True)))
    data = RESNET.featurize(Examples([example]), output)
    targets = head.targets(data)
    assert targets.tolist() == [[[1.0, 5.0, 8.0, 30.0, 40.0]]]
    from tlbench.modeling.heads.head import Outputs

    found = np.array([[1.0, 5.0, 8.0, 30.0, 40.0, 0.75]], dtype=np.float32)
    merged = head.merge([Outputs([found])], data)
    assert numbers_in(merged.values[0]).tolist() == [[1, 10, 4, 60, 20, 0.75]]


def test_outputs_that_are_not_finite_are_noticed():
    view = feature_maps(RESNET.load())
    data = RESNET.featurize(Examples([Example("x", tuple(_images(1)), ())]), Boxes(("a",)))
    for output in (Masks(("a", "b")), Masks(("a", "b"), window=40), Boxes(("a",)), Boxes(("a",), "faster-rcnn")):
        head = output.head(view).eval()
        with torch.no_grad(), contextlib.suppress(AssertionError):
            hidden = view(data.batch([0]))
            hidden.x.fill_(float("nan"))
            assert not head.outputs(head(view, hidden)).is_finite
            continue
        raise AssertionError("NaN went unnoticed")


def test_maps_are_resized_without_new_classes():
    classes = np.array([[0, 7], [255, 3]], dtype=np.uint8)
    assert nearest(classes, (4, 6)).tolist() == np.kron(classes, np.ones((2, 3), dtype=int)).tolist()
    assert set(np.unique(nearest(nearest(classes, (5, 3)), (2, 2)))) <= {0, 7, 255, 3}


def test_weights_of_faster_rcnn_that_are_not_finite_are_noticed():
    view, output = feature_maps(RESNET.load()), Boxes(("a",), "faster-rcnn")
    data = RESNET.featurize(Examples([Example("x", tuple(_images(1)), ())]), output)
    for part in ("rpn.head.cls_logits", "roi_heads.box_head.fc6"):
        head = output.head(view).eval()
        with torch.no_grad():
            head.detector.get_submodule(part).weight.fill_(float("nan"))
            assert not head.outputs(head(view, view(data.batch([0])))).is_finite
