"""Tasks on generated scenes of digits: the class of each pixel, and boxes around the digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Example, Examples, SplitName, Task, UsageError
from tlbench_dense.kinds.boxes import Boxes, Detector
from tlbench_dense.kinds.masks import MapDecoder, Masks
from tlbench_dense.standalone.box_texts import Box

if TYPE_CHECKING:
    from tlbench_dense.scenes.scene_rendering import Scene

SPLITS = ("train", "validation", "test")
DIGITS = {"train": (0, 1000), "validation": (1000, 1300), "test": (1300, 1797)}
"""The digits that the scenes of each split are drawn from: no digit is in two splits."""
_DIGIT_NAMES = tuple(map(str, range(10)))
SMALLEST = 32


@dataclass(frozen=True)
class SceneTask(Task):
    """Base class of the tasks on scenes; easy, medium and hard scenes are equally frequent."""

    modality = "image"
    slices = ("difficulty",)
    source = "scikit-learn's copy of the UCI handwritten digits (Alpaydin and Kaynak 1998), on generated ground"
    licence = "CC BY 4.0"

    train: int = 300
    validation: int = 90
    test: int = 240
    side: int = field(default=96, metadata={"help": "height and width of a scene in pixels"})
    draw: int = field(default=0, metadata={"help": "seed of the scenes"})

    def __post_init__(self) -> None:
        if self.side < SMALLEST:
            raise UsageError(f"{self.name}[side={self.side}]: choose at least {SMALLEST} pixels")
        for split in SPLITS:
            if getattr(self, split) < 1:
                raise UsageError(f"{self.name}[{split}={getattr(self, split)}]: choose at least 1 scene")

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """The numbers of scenes."""
        return {split: getattr(self, split) for split in SPLITS}

    def split(self, name: SplitName) -> Examples | None:
        """Returns the scenes of a split; None for the unlabelled split."""
        from PIL import Image

        if name not in SPLITS:
            return None
        found = scenes(name, getattr(self, name), self.side, self.draw)
        return Examples(
            Example(
                f"{name}-{number}", (Image.fromarray(scene.pixels),), self.target(scene), {"difficulty": difficulty}
            )
            for number, (difficulty, scene) in enumerate(found)
        )

    def target(self, scene: Scene) -> Any:
        """Returns the target of a scene."""
        raise NotImplementedError


@dataclass(frozen=True)
class DigitMasks(SceneTask):
    """Semantic segmentation of scenes: the ground or one of ten digits at each pixel."""

    name: ClassVar[str] = "digit-masks"  # type: ignore[misc]
    metrics = ("mean_iou", "pixel_accuracy", "boundary_f1")
    description = "Scenes of handwritten digits on textured ground: which digit, or the ground, is at each pixel"

    decoder: MapDecoder = field(default="linear", metadata={"help": "the head: linear, or fpn"})
    window: int = field(default=0, metadata={"help": "side of windows that scenes are cut into; 0 for none"})

    @property
    def output(self) -> Masks:  # type: ignore[override]
        """The ground and ten digits."""
        return Masks(("ground", *_DIGIT_NAMES), self.decoder, self.window)

    def target(self, scene: Scene) -> str:
        """Returns the encoded map of classes."""
        import numpy as np

        from tlbench_dense.standalone.class_runs import encoded

        classes = np.array([0, *(label + 1 for label in scene.labels)], dtype=np.uint8)
        return encoded(classes[scene.instances])


@dataclass(frozen=True)
class DigitBoxes(SceneTask):
    """Object detection in scenes: boxes around what is seen of each of the digits."""

    name: ClassVar[str] = "digit-boxes"  # type: ignore[misc]
    metrics = ("coco_map", "coco_ap50", "coco_ar100")
    description = "Scenes of handwritten digits on textured ground: a box around each digit"

    decoder: Detector = field(default="fcos", metadata={"help": "the head: fcos, retinanet or faster-rcnn"})

    @property
    def output(self) -> Boxes:  # type: ignore[override]
        """Ten digits."""
        return Boxes(_DIGIT_NAMES, self.decoder)

    def target(self, scene: Scene) -> tuple[Box, ...]:
        """Returns the boxes of the digits."""
        return tuple(_boxes(scene))


def _boxes(scene: Scene) -> Sequence[Box]:
    import numpy as np

    boxes = []
    for index, label in enumerate(scene.labels, 1):
        rows, columns = np.nonzero(scene.instances == index)
        # A later digit can't cover an earlier one, so there is always a pixel left.
        sides = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        boxes.append(Box(label, *map(float, sides)))
    return boxes


# Both tasks and all cells of a run read the same scenes.
@lru_cache(maxsize=6)
def scenes(split: str, count: int, side: int, draw: int) -> list[tuple[str, Scene]]:
    """Returns the scenes of a split with their difficulties; other splits have other scenes and other digits."""
    import numpy as np

    from tlbench_dense.scenes.scene_rendering import DIFFICULTIES, render

    names, made = tuple(DIFFICULTIES), []
    for number in range(count):
        rng = np.random.default_rng([draw, SPLITS.index(split), number])
        difficulty = names[number % len(names)]
        made.append((difficulty, render(rng, side, range(*DIGITS[split]), DIFFICULTIES[difficulty])))
    return made
