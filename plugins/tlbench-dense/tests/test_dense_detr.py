"""Detectors of the DETR family from a folder: the loss and boxes of transformers, trained, saved and exported."""

import json
import shutil

import numpy as np
import pytest
import torch
from tlbench_dense.plugin import tlbench_resolve
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks
from tlbench_dense.standalone.box_texts import numbers_in
from tlbench_finetune.finetuning.frozen_below import HeadOnly
from tlbench_finetune.finetuning.whole import FromScratch, FullFinetune

from tlbench import Protocol, UsageError
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.planning.capacity import fit_bytes
from tlbench.running.exporting.exported_check import predictions_without_tlbench
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal, make_job

transformers = pytest.importorskip("transformers")
pytest.importorskip("tlbench_hf")

TASK = DigitBoxes(train=10, validation=6, test=6, side=48)
FRESH = Protocol(max_steps=2, precision="fp32")
SIDE = 64


def _model(family):
    blocks = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    torch.manual_seed(0)
    if family == "detr":
        config = transformers.DetrConfig(
            backbone_config=transformers.ResNetConfig(**blocks, out_features=["stage2"]), d_model=16, num_queries=9,
            encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=4,
        )  # fmt: skip
        return transformers.DetrForObjectDetection(config)
    config = transformers.DeformableDetrConfig(
        backbone_config=transformers.ResNetConfig(**blocks, out_features=["stage1", "stage2"]), d_model=32,
        num_queries=9, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=4, num_feature_levels=2, encoder_n_points=1,
        decoder_n_points=1,
    )  # fmt: skip
    return transformers.DeformableDetrForObjectDetection(config)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each family, with a model of random weights."""
    made = {}
    for family in ("detr", "deformable_detr"):
        folder = tmp_path_factory.mktemp(family)
        _model(family).save_pretrained(folder)
        settings = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "resample": 2}))
        made[family] = folder
    return made


@pytest.fixture(scope="module", params=["detr", "deformable_detr"])
def backbone(folders, request):
    return tlbench_resolve("backbone", f"detr:{folders[request.param]}")


@pytest.mark.equivalence
def test_loss_and_boxes_are_those_of_transformers(backbone, folders):
    encoder = backbone.load()
    view = TASK.output.view(encoder)
    assert view is encoder
    head = backbone.head(TASK.output, view).eval()
    data = backbone.featurize(TASK.split("train"), TASK.output)
    batch = data.batch(range(4))
    x = head(view, view(batch))
    # The whole model of transformers, with the new layers for classes.
    whole = transformers.AutoModelForObjectDetection.from_pretrained(
        backbone.source, num_labels=10, ignore_mismatched_sizes=True
    ).eval()
    found = whole.load_state_dict(
        {k.removeprefix("native."): v for k, v in head.network.state_dict().items()}, strict=False
    )
    assert all(name.startswith("model.backbone.") for name in found.missing_keys)
    assert not found.unexpected_keys
    targets = head.wanted(head.targets(data)[:4])
    labels = []
    for boxes in ((one["boxes"] / SIDE, one["labels"]) for one in targets):
        left, top, right, bottom = boxes[0].unbind(1)
        centred = torch.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], 1)
        labels.append({"class_labels": boxes[1], "boxes": centred})
    theirs = whole(pixel_values=batch["pixel_values"], labels=labels)
    ours = head.loss(x, head.targets(data)[:4])
    assert ours.item() == pytest.approx(theirs.loss.item(), abs=1e-4)
    weight = head.network.native.model.decoder.layers[0].encoder_attn
    their_weight = whole.model.decoder.layers[0].encoder_attn
    ours.backward()
    theirs.loss.backward()
    for (name, one), (_, other) in zip(weight.named_parameters(), their_weight.named_parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-4), name
    processor = {"detr": transformers.DetrImageProcessor, "deformable_detr": transformers.DeformableDetrImageProcessor}
    decode = processor[whole.config.model_type]().post_process_object_detection
    with torch.no_grad():
        wanted = decode(whole(pixel_values=batch["pixel_values"]), threshold=0.0, target_sizes=[(SIDE, SIDE)] * 4)
        rows = head.outputs(head(view, view(batch))).values
    for row, one in zip(rows, wanted, strict=True):
        order, theirs_order = np.argsort(-row[:, 5], kind="stable"), torch.argsort(-one["scores"], stable=True)
        assert row[order, 5] == pytest.approx(one["scores"][theirs_order].numpy(), abs=1e-5)
        assert row[order, 1:5] == pytest.approx(one["boxes"][theirs_order].clamp(0, SIDE).numpy(), abs=1e-2)
        assert (row[order, 0] == one["labels"][theirs_order].numpy()).mean() > 0.9


@pytest.mark.parametrize("strategy", [HeadOnly(), FullFinetune(), FromScratch()], ids=lambda one: one.name)
def test_strategies_train_what_they_say(backbone, strategy, tmp_path):
    rehearsal = Rehearsal(strategy, backbone, TASK, FRESH)
    before = {name: weight.clone() for name, weight in backbone.load().native.named_parameters()}
    fitted = rehearsal.fit_ok(seed=1)
    predictor, data = fitted.predictor, rehearsal.data("train")
    changed = [
        n for n, w in predictor.model.encoder.native.named_parameters() if not torch.equal(w.detach(), before[n])
    ]
    assert bool(changed) == (strategy.name != "head-only")
    predicted = predictor.predict(data)
    assert len(numbers_in(predicted.values[0])) > 0
    predictor.save(tmp_path / "kept")
    job = make_job(strategy, backbone, TASK, dict(fitted.result.params), FRESH, seed=1)
    assert strategy.load(job, tmp_path / "kept").predict(data).values.tolist() == predicted.values.tolist()
    if strategy.name != "from-scratch":
        made = exported(predictor, backbone, TASK, data, tmp_path / "exported")
        (found,) = predictions_without_tlbench([(made.folder, made.rows)])
        assert made.problem(found) == ""
        assert {box["label"] for box in found[0]["found"]} <= set(TASK.output.names)


def test_maps_of_a_frozen_backbone_are_computed_once(backbone):
    view, data = backbone.load(), backbone.featurize(TASK.split("train"), TASK.output)
    cache = Activations()
    first = cache.hidden(view, data, 1).batch(range(3))["hidden"].x
    view.forward = None  # from here on the backbone cannot be run
    assert torch.equal(first, cache.hidden(view, data, 1).batch(range(3))["hidden"].x)


def test_what_it_does_not_serve_says_why(backbone, folders, tmp_path):
    assert backbone.supports(TASK.output) is None
    assert "it serves tasks with boxes alone" in backbone.supports(DigitMasks().output)
    assert "Classes" in backbone.supports(_classes())
    card = backbone.card()
    assert card.parameters > 0
    assert card.decoder_parameters > 0
    # Tied weights are stored once.
    model = _model(card.family)
    numbers = [*model.parameters(), *(one for one in model.buffers() if one.is_floating_point())]
    assert card.parameters + card.decoder_parameters == sum(one.numel() for one in numbers)
    assert fit_bytes(FullFinetune().resources(backbone, TASK), host=True) > 150 << 20
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UsageError, match="the family 'bert' is none of conditional_detr"):
        tlbench_resolve("backbone", f"detr:{tmp_path}")
    with pytest.raises(UsageError, match="detr:/no/such: neither a folder"):
        tlbench_resolve("backbone", "detr:/no/such")


def test_code_of_a_folder_is_not_run(folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(folders["detr"], folder)
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "evil.Config", "AutoModelForObjectDetection": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": auto_map}))
    (folder / "evil.py").write_text("raise SystemExit('code of the folder was run')")
    backbone = tlbench_resolve("backbone", f"detr:{folder}")
    assert backbone.head(TASK.output, backbone.load()) is not None


def _classes():
    from tlbench import Classes

    return Classes(("a", "b"))
