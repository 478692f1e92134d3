"""A baseline without a backbone: of each pixel the class that is commonest at its place in the training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Job, Output, Predictions, Predictor, Strategy, Task, UsageError
from tlbench_dense.kinds.boxes import Boxes
from tlbench_dense.kinds.masks import Masks

if TYPE_CHECKING:
    import numpy as np

    from tlbench.modeling.data import Data

SIDE = 16
"""Places are the cells of a grid of so many rows and columns."""


@dataclass(frozen=True)
class CommonestMap(Strategy):
    """Predicts one map for all images, with the commonest class of each place; no box where boxes are asked for."""

    name: ClassVar[str] = "commonest-map"
    family: ClassVar[str] = "baseline"
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True
    knows_nothing: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task has no map, or None."""
        if isinstance(task.output, Masks | Boxes):
            return None
        return f"commonest-map predicts a class for each pixel; {type(task.output).__name__} has none"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor with the commonest classes of a grid."""
        import numpy as np

        from tlbench_dense.map_heads.map_head import nearest
        from tlbench_dense.standalone.class_runs import IGNORED, decoded

        job.train.meter.rows += len(job.train)
        output = job.task.output
        if not isinstance(output, Masks):
            return OneMap(output, None)
        counts = np.zeros((IGNORED + 1, SIDE, SIDE), dtype=np.int64)
        for example in job.train.examples:
            small = nearest(decoded(example.target), (SIDE, SIDE))
            np.add.at(counts, (small, *np.indices(small.shape)), 1)
        return OneMap(output, counts[: len(output.names)].argmax(0).astype(np.uint8))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        import numpy as np

        from tlbench.modeling.predictor_files import read_settings
        from tlbench_dense.standalone.class_runs import classes_in, decoded

        text = read_settings(folder, OneMap.__name__, job.task.output).get("classes")
        if not isinstance(job.task.output, Masks):
            return OneMap(job.task.output, None)
        try:
            fits = decoded(text).shape == (SIDE, SIDE) and max(classes_in(text)) < len(job.task.output.names)
        except (TypeError, ValueError) as error:
            raise UsageError(f"{folder}: {error}") from error
        if not fits:
            raise UsageError(f"{folder}: the map has another size, or classes that the task lacks")
        return OneMap(job.task.output, np.asarray(decoded(text)))


@dataclass(frozen=True)
class OneMap:
    """Predicts the same map for each image, or no boxes."""

    output: Output
    classes: np.ndarray | None
    """(16, 16) uint8; None for boxes."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the map at the size of each image."""
        from tlbench.contracts.images.image_file import rgb
        from tlbench.metrics.scored import objects
        from tlbench_dense.map_heads.map_head import nearest
        from tlbench_dense.standalone.class_runs import encoded

        if self.classes is None:
            return Predictions(data.ids, objects(["[]"] * len(data.ids)))
        sizes = [rgb(example.inputs[0]).size for example in data.examples]
        return Predictions(data.ids, objects([encoded(nearest(self.classes, size[::-1])) for size in sizes]))

    def save(self, folder: Path) -> None:
        """Writes the map."""
        from tlbench.modeling.predictor_files import write_predictor
        from tlbench_dense.standalone.class_runs import encoded

        settings: dict[str, Any] = {"classes": None if self.classes is None else encoded(self.classes)}
        write_predictor(folder, type(self).__name__, self.output, settings)
