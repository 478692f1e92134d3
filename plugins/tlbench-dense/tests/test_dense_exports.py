"""A winner is exported to a folder that predicts the same with torch, torchvision and timm alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tlbench_dense.kinds.boxes import Boxes
from tlbench_dense.kinds.masks import Masks
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks
from tlbench_dense.standalone.class_runs import decoded, encoded
from tlbench_finetune.finetuning.frozen_below import HeadOnly
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_peft.low_rank import Lora
from tlbench_timm.fractals.backbones import FractalBackbone

from tlbench import Protocol, UsageError
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.task import Example, Examples
from tlbench.running.exporting.exported_check import predictions_without_tlbench
from tlbench.running.prediction.exported_model import exported_predictor
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal

TINY = {"train": 20, "validation": 6, "test": 6, "side": 48}
RESNET = FractalBackbone("fractal-resnet", size=32)
VIT = FractalBackbone("fractal-vit")
FRESH = Protocol(max_steps=2, precision="fp32")


def _exported(strategy, backbone, task, folder):
    rehearsal = Rehearsal(strategy, backbone, task, FRESH)
    predictor = rehearsal.fit_ok(seed=1).predictor
    whole = getattr(predictor.model.head, "detector", None)
    if hasattr(whole, "detector"):
        # After two steps no score is high enough yet.
        torch.nn.init.zeros_(whole.detector.head.classification_head.cls_logits.bias)
    return exported(predictor, backbone, task, rehearsal.data("train"), folder)


MASKS, FPN = DigitMasks(**TINY), DigitMasks(**TINY, decoder="fpn", window=32)
FCOS, RETINANET, FASTER = (DigitBoxes(**TINY, decoder=name) for name in ("fcos", "retinanet", "faster-rcnn"))


def test_folders_predict_the_same_without_tlbench(tmp_path):
    cases = [
        (HeadOnly(), RESNET, MASKS), (FullFinetune(), RESNET, FPN), (HeadOnly(), RESNET, FASTER),
        (HeadOnly(), VIT, RETINANET), (Lora(targets="all"), VIT, FCOS),
    ]  # fmt: skip
    made = [_exported(*case, tmp_path / str(number)) for number, case in enumerate(cases)]
    found = predictions_without_tlbench([(one.folder, one.rows) for one in made])
    for one, predictions, case in zip(made, found, cases, strict=True):
        assert one.problem(predictions) == "", case
        if isinstance(one.output, Boxes):
            boxes = [box for prediction in predictions for box in prediction["found"]]
            assert len(boxes) > 20
            assert {box["label"] for box in boxes} <= set(one.output.names)
        else:
            shares = predictions[0]["shares"]
            assert sum(shares.values()) == pytest.approx(1)
            assert shares.keys() == {one.output.names[i] for i in np.unique(decoded(predictions[0]["text"]))}
    # As a user calls it, and by tlbench, which runs no code of the folder.
    folder, rows = made[0].folder, made[0].rows
    lines = "".join(f"{json.dumps(row)}\n" for row in rows[:2])
    ended = subprocess.run(
        [sys.executable, folder / "predict.py"], input=lines, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in ended.stdout.splitlines()] == found[0][:2]
    shutil.move(folder / "inputs", tmp_path / "inputs")
    rows = [[str(tmp_path / "inputs" / Path(row[0]).name)] for row in rows]
    (folder / "map_decoders.py").write_text("raise SystemExit('code of the folder was run')")
    examples = Examples(Example(str(i), (ImageFile.read(Path(row[0]), "0"),), None) for i, row in enumerate(rows))
    answers = exported_predictor(folder).answers(examples)
    assert [answer.prediction for answer in answers] == [one["text"] for one in found[0]]
    (folder / "head.py").write_text("DATA_ONLY = True\n")
    with pytest.raises(UsageError, match=r"head\.py: is no script of an installed plugin"):
        exported_predictor(folder)


def test_what_differs_by_more_than_rounding_is_said():
    classes = np.zeros((100, 100), dtype=np.uint8)
    other = classes.copy()
    other[0, :2] = 1
    kind = Masks(("a", "b"))
    assert kind.differing([encoded(other)], [encoded(classes)]) == "2 of 10,000 pixels differ"
    other[0, 0] = 0
    assert kind.differing([encoded(other)], [encoded(classes)]) == ""
    assert kind.differing([encoded(other[:50])], [encoded(classes)]) == "a map has another size"
    boxes = Boxes(("a", "b"))
    rows = [[0, 1.0, 2.0, 30.0, 40.0, 0.5]] * 2 + [[1, 5.0, 6.0, 7.0, 8.0, 0.25]] * 2

    def changed(place, by):
        return json.dumps([[*row[:place], row[place] + by, *row[place + 1 :]] for row in rows])

    same = json.dumps(rows)
    for place, by in ((1, 0.02), (5, 1e-5)):
        assert boxes.differing([changed(place, by)], [same]) == ""
        assert boxes.differing([changed(place, 2 * by)], [same]) == "8 of 8 boxes differ"
    assert boxes.differing([same, "[]"], [same, same]) == "4 of 12 boxes differ"
    assert boxes.differing([json.dumps(rows[:3])], [json.dumps(rows[:3])]) == ""
