"""Photographs in a folder for each class, with a vision transformer.

python photographs.py               # ViT-B/16 of the hub: 340 MB, and a GPU is a good idea
python photographs.py fractal-vit   # a small ViT that comes with tlbench-timm
"""

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

import tlbench

BACKBONE = sys.argv[1] if len(sys.argv) > 1 else "hf:google/vit-base-patch16-224-in21k"

# Your own folder goes here: photos/train/CLASS/*.jpg and photos/test/CLASS/*.jpg, or photos/CLASS/*.jpg alone.
folder = Path("photos")
draw = random.Random(0)
for number in range(80):
    name = ("circle", "square")[number % 2]
    split = "test" if number % 4 > 1 else "train"
    image = Image.new("RGB", (64, 64), tuple(draw.randrange(256) for _ in range(3)))
    x, y, size = draw.randrange(4, 24), draw.randrange(4, 24), draw.randrange(16, 36)
    shape = getattr(ImageDraw.Draw(image), "ellipse" if name == "circle" else "rectangle")
    shape((x, y, x + size, y + size), fill=tuple(draw.randrange(256) for _ in range(3)))
    path = folder / split / name / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)

result = tlbench.run(
    tasks=f"imagefolder:{folder}",
    backbones=BACKBONE,
    strategies=["linear-probe", "partial-finetune", "full-finetune"],
    trials=3,
    seeds=3,
    out="results",
)
table = result.frame()
print(table[["strategy", "rank", "value", "low", "high", "gain", "fit_seconds"]].to_string(index=False))
print(*result.notes, sep="\n")  # among them what the baseline without pretrained weights reaches
