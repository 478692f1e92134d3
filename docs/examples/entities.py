"""Named entities: a tag for each word, in the format of CoNLL-2003.

python entities.py             # distilbert-base-cased of the hub: 260 MB
python entities.py minilm-l3   # a small encoder that comes with tlbench-hf
"""

import random
import sys
from pathlib import Path

import tlbench

BACKBONE = sys.argv[1] if len(sys.argv) > 1 else "hf:distilbert/distilbert-base-cased"
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Mary Somerville", "Kurt Goedel")
PLACES = ("London", "New York", "Vienna", "Edinburgh", "Buenos Aires")
FRAMES = ("{person} moved to {place} .", "In {place} we met {person} .", "{person} , born in {place} , wrote it .")


def tagged(frame: str, draw: random.Random) -> list[str]:
    """Returns the lines of a sentence: a word, a space, and its tag in BIO."""
    lines = []
    for part in frame.split():
        kind = {"{person}": "PER", "{place}": "LOC"}.get(part)
        words = draw.choice(PEOPLE if kind == "PER" else PLACES).split() if kind else [part]
        lines += [f"{word} {'BI'[place > 0]}-{kind}" if kind else f"{word} O" for place, word in enumerate(words)]
    return lines


# Your own file goes here: a word first and its tag last on each line, an empty line after each sentence.
path = Path("entities.conll")
draw = random.Random(0)
path.write_text("\n\n".join("\n".join(tagged(draw.choice(FRAMES), draw)) for _ in range(150)) + "\n", encoding="utf-8")

result = tlbench.run(
    tasks=f"conll:{path}",
    backbones=BACKBONE,
    strategies=["linear-probe", "full-finetune"],
    trials=2,
    seeds=3,
    out="results",
)
table = result.frame()
print(table[["strategy", "metric", "rank", "value", "low", "high"]].to_string(index=False))
