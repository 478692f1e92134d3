"""A new last layer on a ResNet, and the model in use: the first thing to try with a few photographs.

python new_last_layer.py                  # resnet18 of the hub: 47 MB
python new_last_layer.py fractal-resnet   # a small ResNet that comes with tlbench-timm
"""

import random
import sys
from pathlib import Path

from PIL import Image

import tlbench

BACKBONE = (
    sys.argv[1] if len(sys.argv) > 1 else "timm:resnet18.a1_in1k@ebd61f9c7420e5b5b53262b8ce6bbe311e1e872a"
)  # a commit of the hub's repository, so that it is the same network tomorrow

# Your own folder goes here: a folder of images for each class.
folder = Path("fabrics")
draw = random.Random(0)
for number in range(60):
    name = ("striped", "plain")[number % 2]
    colour, other = (tuple(draw.randrange(256) for _ in range(3)) for _ in range(2))
    image = Image.new("RGB", (48, 48), colour)
    if name == "striped":
        width = draw.randrange(3, 9)
        for x in range(0, 48, 2 * width):
            image.paste(other, (x, 0, x + width, 48))
    path = folder / name / f"{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)

# `head-only` trains the layer by steps; `linear-probe` solves the same layer exactly, on features computed once.
result = tlbench.run(
    tasks=f"imagefolder:{folder}",
    backbones=BACKBONE,
    strategies=["head-only", "linear-probe"],
    trials=2,
    seeds=3,
    keep_models="best-seed",
    out="results",
)
table = result.frame()
print(table[["strategy", "rank", "value", "low", "high", "fit_seconds"]].to_string(index=False))

probe = table[table["strategy"] == "linear-probe"].iloc[0]
for row in tlbench.load(probe["cell"], out="results").predict([str(folder / "striped" / "0.png")]):
    print(row["prediction"], row["confidence"])
print(f"tlbench export {probe['cell'][:8]} --out results --to model   # a folder that loads without tlbench")
