"""Reads reviews: headers `Stars:` and `Product:`, an empty line, the text, and a line of two percent signs."""

from dataclasses import dataclass
from pathlib import Path

from tlbench import Classes, DataError, Example, Examples, Task

CLASSES = ("poor", "good")


class Reviews(Task):
    """The reviews that come with the package."""

    name = "shop-reviews"
    modality = "text"
    output = Classes(CLASSES)
    metrics = ("balanced_cost", "accuracy")
    slices = ("product",)
    description = "whether a review of the shop is good"

    def split(self, name):
        path = Path(__file__).parent / f"{name}.reviews"
        return read(path, name) if path.is_file() else None


@dataclass(frozen=True)
class ReviewFile(Task):
    """The reviews of a user's file, of which every third is for testing."""

    path: str = ""

    modality = "text"
    output = Classes(CLASSES)
    metrics = ("accuracy",)
    slices = ("product",)

    @property
    def name(self):
        return f"reviews:{self.path}"

    def split(self, name):
        if name not in ("train", "test"):
            return None
        examples = read(Path(self.path), "file")
        return examples.take(i for i in range(len(examples)) if (i % 3 == 2) == (name == "test"))


def read(path, prefix):
    rows = []
    for number, block in enumerate(path.read_text(encoding="utf-8").split("\n%%\n")):
        if not block.strip():
            continue
        head, _, text = block.strip().partition("\n\n")
        fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        if fields.get("Stars") not in {"1", "2", "4", "5"} or not text:
            raise DataError(f"{path}: review {number + 1} has no text, or no Stars of 1, 2, 4 or 5")
        slices = {"product": fields.get("Product", "other")}
        rows.append(Example(f"{prefix}-{number}", (text,), int(int(fields["Stars"]) > 3), slices))
    return Examples(rows)
