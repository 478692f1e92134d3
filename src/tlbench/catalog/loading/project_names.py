"""The names that the packages of the tlbench project bring, for messages about names whose package is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

NAMES: Mapping[str, Mapping[str, str]] = {
    "backbone": {
        "tlbench-hf": "minilm-l0 minilm-l3 minilm-l6 stories260k t5-tiny",
        "tlbench-timm": (
            "cifar-resnet20 cifar-resnet32 cifar-resnet44 cifar-resnet56 efficientnet-lite0 "
            "efficientnet-lite1 efficientnet-lite2 fractal-resnet fractal-vit mobilenetv1-025"
        ),
        "tlbench-words": "glove-6b-50d",
    },
    "task": {
        "tlbench-data": (
            "ag-news ag-news-8k amazon-mdsd banking77 cifar10 cifar10-1pct conll2003 dialogsum "
            "dialogsum-small digits fashion-mnist hymenoptera imdb imdb-2k multi30k-en-de samsum "
            "semeval2010-task8 sms-spam squad squad-dev-parts squad-v2 trec wnut17"
        ),
        "tlbench-dense": "digit-boxes digit-masks",
        "tlbench-domain": "digits-inverted digits-noisy",
        "tlbench-glue": ("cola cola-lite mnli mrpc mrpc-lite qnli qqp rte rte-lite sst2 sst2-lite stsb stsb-lite wnli"),
    },
    "strategy": {
        "tlbench-dense": "commonest-map",
        "tlbench-distill": "distill",
        "tlbench-domain": "coral dann self-training source-only test-time-normalization",
        "tlbench-fewshot": "prompting setfit zero-shot-nli zero-shot-similarity",
        "tlbench-finetune": (
            "colour-histogram cosine from-scratch full-finetune gradual-unfreezing head-only knn "
            "l2-sp layerwise-lr-decay lead linear-probe lp-ft majority mixout mlp-probe "
            "partial-finetune prototypes r-drop random-probe recipe reinit-top surgical tfidf "
            "weight-averaging word-majority"
        ),
        "tlbench-multitask": "intermediate multi-task",
        "tlbench-peft": "adalora bitfit bottleneck-adapter dora ia3 lora oft prefix-tuning prompt-tuning vera",
        "tlbench-pretrain": "dapt simclr simcse tapt",
        "tlbench-semisup": "fixmatch pseudo-label uda",
        "tlbench-unsupervised": "cluster",
    },
    "metric": {
        "tlbench-dense": "boundary_f1 coco_ap50 coco_ar100 coco_map mean_iou pixel_accuracy",
        "tlbench-unsupervised": "adjusted_rand normalized_mutual_information purity",
    },
    "suite": {
        "tlbench-data": "imdb ner qa seq2seq text",
        "tlbench-dense": "dense-lite",
        "tlbench-glue": "glue glue-lite glue-lite-full reproductions",
        "tlbench-timm": "cifar10-1pct hymenoptera vision-lite",
    },
    "executor": {
        "tlbench-ray": "ray",
        "tlbench-slurm": "slurm",
    },
}
"""By kind and package, the names between spaces."""


def package_of(kind: str, name: str) -> str:
    """Returns the package of the project that brings an object and is not installed, or an empty text."""
    for package, names in NAMES.get(kind, {}).items():
        if name in names.split():
            try:
                metadata.distribution(package)
            except metadata.PackageNotFoundError:
                return package
    return ""
