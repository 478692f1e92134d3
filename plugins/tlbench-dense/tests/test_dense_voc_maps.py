"""Faults of maps in Pascal VOC's folders."""

import numpy as np
import pytest
from PIL import Image
from tlbench_dense.sources.dense_task import AnnotatedFolder, resolve

from tlbench import DataError


@pytest.mark.parametrize(
    ("value", "size", "message"),
    [
        (2, (21, 10), "a map of 21x10 pixels for an image of 20x10"),
        (99, (20, 10), r"the pixel at \(3, 2\) has the class 99"),
    ],
)
def test_faults_of_maps_in_voc_are_named(tmp_path, value, size, message):
    for number, split in enumerate(("train", "val", "test")):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 20, 3), dtype=np.uint8)
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "JPEGImages" / f"{split}1.png")
        file = tmp_path / "ImageSets" / "Segmentation" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{split}1")
        classes = np.zeros((size[1], size[0]), dtype=np.uint8)
        classes[2:5, 3:9] = value if split == "train" else 2
        (tmp_path / "SegmentationClass").mkdir(exist_ok=True)
        Image.fromarray(classes).save(tmp_path / "SegmentationClass" / f"{split}1.png")
    with pytest.raises(DataError, match=f"train1.png: {message}"):
        AnnotatedFolder(resolve("voc", str(tmp_path)).name, kind="masks").split("train")
