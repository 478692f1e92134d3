"""The core knows nothing of segmentation and detection, and importing the plugin is light."""

import re
from pathlib import Path

import pytest
from tlbench_dense.commonest_map import CommonestMap
from tlbench_dense.scenes.scene_tasks import DigitBoxes, DigitMasks

import tlbench
from tlbench import Protocol
from tlbench.testing.conformance.every_plugin import check_light
from tlbench.testing.jobs import Rehearsal, make_job

# Attention has masks too, and charts have boxes.
_WORDS = re.compile(
    r"\b(boxes|bounding|(?:semantic|instance) segmentation|object detection|detectors?|iou|Masks|coco)\b"
)


def test_no_word_of_boxes_or_masks_is_in_the_core():
    source = Path(tlbench.__file__).parent
    found = [
        f"{path.relative_to(source)}: {match[0]}"
        for path in sorted(source.rglob("*.py"))
        # The names that packages bring, for messages about packages that are not installed.
        if path.name != "project_names.py"
        for match in _WORDS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found
    assert _WORDS.search("the boxes of Masks")


@pytest.mark.parametrize("task", [DigitMasks(), DigitBoxes()], ids=lambda task: task.name)
def test_outputs_import_nothing_heavy(task):
    check_light(task.output)
    check_light(CommonestMap())


@pytest.mark.parametrize("kind", [DigitMasks, DigitBoxes])
def test_the_baseline_gives_one_answer(kind, tmp_path):
    task, strategy = kind(train=9, validation=6, test=6, side=32), CommonestMap()
    rehearsal = Rehearsal(strategy, None, task, Protocol(precision="fp32"))
    predictor, data = rehearsal.fit_ok().predictor, rehearsal.data()
    predicted = predictor.predict(data)
    assert len(set(predicted.values.tolist())) == 1
    predictor.save(tmp_path / "kept")
    again = strategy.load(make_job(strategy, None, task), tmp_path / "kept")
    assert again.predict(data).values.tolist() == predicted.values.tolist()
