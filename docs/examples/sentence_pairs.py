"""Do two sentences say the same? A sentence encoder, read in three ways.

python sentence_pairs.py             # all-MiniLM-L6-v2 of the hub: 90 MB
python sentence_pairs.py minilm-l3   # its lower half, which comes with tlbench-hf
"""

import json
import random
import sys
from pathlib import Path

import tlbench

BACKBONE = sys.argv[1] if len(sys.argv) > 1 else "hf:sentence-transformers/all-MiniLM-L6-v2"
SAME = (
    ("The train is late", "The train has a delay"),
    ("The shop opens at nine", "From nine on the shop is open"),
    ("She bought a used car", "The car that she purchased was second-hand"),
    ("It rained all day", "The rain did not stop the whole day"),
    ("He lost his keys", "He cannot find his keys"),
)

# Your own file goes here: two columns of texts and a label, as JSON lines, CSV or Parquet.
path = Path("pairs.jsonl")
draw = random.Random(0)
with path.open("w", encoding="utf-8") as file:
    for number in range(200):
        first, second = draw.choice(SAME)
        same = number % 2 == 1
        if not same:
            second = draw.choice([other for one, other in SAME if one != first])
        row = {"sentence1": f"{first}, note {number}", "sentence2": second, "label": "same" if same else "other"}
        file.write(json.dumps(row) + "\n")

# `cosine` learns a threshold of the similarity, the probe reads both embeddings, fine-tuning reads both texts together.
result = tlbench.run(
    tasks=f"jsonl:{path}[metric=f1,positive_class=same]",
    backbones=BACKBONE,
    strategies=["cosine", "linear-probe", "full-finetune"],
    trials=2,
    seeds=3,
    out="results",
)
print(result.frame()[["strategy", "metric", "rank", "value", "low", "high", "fit_seconds"]].to_string(index=False))
