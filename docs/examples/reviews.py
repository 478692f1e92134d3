"""Film reviews: how should a BERT be adapted, and is the difference real?

python reviews.py             # bert-base-uncased of the hub: 440 MB, and a GPU is a good idea
python reviews.py minilm-l3   # a small encoder that comes with tlbench-hf
"""

import csv
import random
import sys
from pathlib import Path

import tlbench

BACKBONE = sys.argv[1] if len(sys.argv) > 1 else "hf:google-bert/bert-base-uncased"
GOOD = ("moving", "funny", "brilliant", "tender", "gripping")
BAD = ("tedious", "clumsy", "hollow", "noisy", "stale")

# Your own file goes here: a column of texts and a column of labels.
path = Path("reviews.csv")
with path.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(("review", "verdict"))
    draw = random.Random(0)
    for number in range(240):
        words = GOOD if number % 2 else BAD
        subject = draw.choice(("plot", "cast", "score", "ending", "dialogue"))
        text = f"Screening {number}: the {subject} is {draw.choice(words)} and {draw.choice(words)}."
        writer.writerow((text, "good" if number % 2 else "bad"))

result = tlbench.run(
    tasks=f"csv:{path}[text=review,label=verdict]",
    backbones=BACKBONE,
    strategies=["linear-probe", "lora", "full-finetune"],
    trials=3,
    seeds=3,
    out="results",
)

# Rows that share a rank are not told apart by the tests: take the cheapest of them.
table = result.frame()
print(table[["strategy", "rank", "rank_last", "value", "low", "high", "fit_seconds"]].to_string(index=False))

# The best cell with a backbone, trained again as its record says, or loaded if it was kept.
best = table[(table["backbone"] != "") & (table["status"] == "ok")].iloc[0]
model = tlbench.load(best["cell"], out="results")
for row in model.predict(["A gripping plot and a tender ending.", "Two stale and noisy hours."]):
    print(row["prediction"], row["confidence"])
