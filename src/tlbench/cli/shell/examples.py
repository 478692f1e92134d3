"""The examples at the end of each command's help, by the command's name."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "run": (
        "tlbench run --suite glue-lite",
        "tlbench run -t csv:reviews.csv -b minilm-l6 -S majority -S linear-probe",
        "tlbench run --suite glue-lite -b minilm-l6 --trials 8 --seeds 3 --json | jq '.cells[].value'",
    ),
    "plan": (
        "tlbench plan --suite glue-lite",
        "tlbench plan --suite glue-lite -S +lp-ft --cells",
    ),
    "find": (
        "tlbench find trec --minutes 10",
        "tlbench find 'csv:reviews.csv[text=review,label=stars]' -b 'minilm-*' --until 'accuracy>0.9'",
        "tlbench find imagefolder:./photos --minutes 30 --max-memory 8GiB --max-parameters 30M",
    ),
    "list": (
        "tlbench list backbones --modality image --max-parameters 30M",
        "tlbench list tasks --kind classes",
        "tlbench list backbones --json | jq '.backbones[].name'",
    ),
    "show": (
        "tlbench show minilm-l6",
        "tlbench show full-finetune -b minilm-l6",
        "tlbench show 5f5a612b54c51814",
    ),
    "check": (
        "tlbench check csv:reviews.csv -b minilm-l6",
        "tlbench check --suite glue-lite --json --strict",
    ),
    "fetch": (
        "tlbench fetch --suite glue",
        "tlbench fetch -t sst2 --data-root ~/data",
    ),
    "leaderboard": (
        "tlbench leaderboard",
        "tlbench leaderboard --suite glue-lite -f markdown > results.md",
        "tlbench leaderboard --all -f csv",
    ),
    "compare": (
        "tlbench compare 65b9a998 7fa1c02d",
        "tlbench compare results-of-yesterday results-of-today --margin 0.01",
        "tlbench compare a/results.json b/results.json --examples 500",
    ),
    "recommend": ("tlbench recommend", "tlbench recommend -t sst2-lite --max-memory 2GB --max-seconds 600"),
    "merge": ("tlbench merge results-1 results-2 --out all-results", "tlbench merge a b --out all-results --json"),
    "predict": (
        "tlbench predict 5f5a612b54c51814 new.csv --to predicted.csv",
        "tlbench predict 5f5a new.parquet --text title -o predicted.csv",
        "tlbench predict ./model new.csv -o predicted.csv",
    ),
    "export": (
        "tlbench export 5f5a612b54c51814 --to model",
        "tlbench export 5f5a --to adapter --adapter",
        "tlbench export 5f5a --to model --onnx",
    ),
    "map": ("tlbench map 5f5a612b54c51814", "tlbench map 5f5a 65b9 --examples 200"),
    "hpo": ("tlbench hpo", "tlbench hpo --export studies.sqlite"),
    "eval-results": (
        "tlbench eval-results 5f5a612b54c51814 --dataset nyu-mll/glue --task sst2",
        "tlbench eval-results 5f5a --dataset nyu-mll/glue --task sst2 --to model",
    ),
    "delete": ("tlbench delete 5f5a612b54c51814", "tlbench delete -t csv:reviews.csv -S linear-probe"),
    "status": ("tlbench status", "watch tlbench status", "tlbench status --json | jq .cells"),
    "collect": ("tlbench collect", "tlbench collect --wait --out results"),
    "submit": (
        "tlbench submit --to leaderboards/my-board --by 'A. Researcher, University'",
        "tlbench submit 5f5a612b 65b9a998 --to my-cells.zip",
    ),
    "verify": (
        "tlbench verify leaderboards/my-board",
        "tlbench verify my-cells.zip --rerun 5f5a612b",
        "tlbench verify leaderboards/*/ --at-least recomputed --to tiers.json",
    ),
    "plugin new": (
        "tlbench plugin new strategy norm-only",
        "tlbench plugin new backbone my-encoder --to my-plugin --author 'Ada Lovelace'",
    ),
    "plugin list": ("tlbench plugin list", "tlbench plugin list --json | jq '.plugins[].name'"),
    "plugin doctor": ("tlbench plugin doctor", "tlbench plugin doctor tlbench-hf --traceback"),
    "plugin check": (
        "tlbench plugin check",
        "tlbench plugin check tlbench-finetune/linear-probe",
        "tlbench plugin check tlbench-data --json",
    ),
    "skill": ("tlbench skill", "tlbench skill > SKILL.md"),
    "version": ("tlbench version", "tlbench --version"),
    "cache info": ("tlbench cache info", "TLBENCH_CACHE=/scratch/cache tlbench cache info"),
    "cache limit": ("tlbench cache limit", "tlbench cache limit 20GiB", "tlbench cache limit --default"),
    "cache prune": ("tlbench cache prune --older-than 30d", "tlbench cache prune --limit 1GiB"),
}  # fmt: skip
