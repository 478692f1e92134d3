"""Pre-trains a backbone outside of a run, and writes it to a folder that can be named as a backbone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from tlbench import METRICS, Backbone, Classes, Examples, Job, Protocol, TaskInfo, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.precision import resolve
from tlbench_pretrain.contrastive_heads import ImagePairs
from tlbench_pretrain.corpus import corpus_examples, image_examples, pinned_corpus, why_no_corpus
from tlbench_pretrain.language_heads import LanguageHead
from tlbench_pretrain.pretraining import PretrainingHead, pretrained

TEMPERATURE = 0.5
"""Divisor of the cosines of images, as in `simclr`."""
RECORD = "tlbench_pretraining.json"
"""The file that says how the weights were made."""
OUTPUT = Classes(("no", "yes"))
"""An output that reads whole examples; nothing is predicted."""


@dataclass(frozen=True)
class PretrainSettings:
    """The settings of a pre-training."""

    steps: int
    lr: float
    batch_size: int
    seed: int
    pretrained: bool
    """Whether it starts from the backbone's pretrained weights instead of random ones."""
    device: str = "auto"


def pretrain_backbone(
    backbone: Backbone, name: str, source: str, folder: Path, settings: PretrainSettings
) -> tuple[str, Mapping[str, float]]:
    """Pre-trains a backbone and writes it to a folder.

    Args:
        backbone: The backbone whose architecture and tokenizer, or transform, is used.
        name: Its canonical name, for the record of how the weights were made.
        source: A text file, a folder of .txt files, or a folder of images.
        folder: A new folder.
        settings: Steps, learning rate and so on.

    Returns:
        The name of the new backbone, and the loss on examples that were kept aside, before and after.

    Raises:
        UsageError: The corpus cannot be read, or backbones of this kind have no such objective or cannot be saved.
        Diverged: The training diverged; nothing is written.
    """
    if type(backbone).save is Backbone.save:
        backbone.save(None, folder)  # type: ignore[arg-type]  # raises, before any time is spent
    corpus, examples = _examples(backbone, source, settings.seed)
    torch.manual_seed(settings.seed)
    encoder = backbone.load(pretrained=settings.pretrained).to(_device(settings.device))
    head = _head(backbone, encoder)
    data = backbone.featurize(examples, OUTPUT)
    job = _job(encoder, head, data, settings)
    result = pretrained(head, data, job, steps=settings.steps, lr=settings.lr, batch_size=settings.batch_size)
    folder.mkdir(parents=True, exist_ok=True)
    saved = backbone.save(encoder.cpu(), folder.resolve())
    made = {"backbone": name, "corpus": corpus, **asdict(settings), **result.notes}
    (folder / RECORD).write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    # Read back as a run would, so that a form that loses a tensor is noticed here.
    loaded = Catalog.discover().backbone(saved).item.load().state_dict()
    expected = encoder.state_dict()
    if loaded.keys() != expected.keys() or not all(torch.equal(loaded[key], expected[key]) for key in expected):
        raise UsageError(f"{folder}: the weights that were written do not load as they were: do not use them")
    return saved, result.notes


def _examples(backbone: Backbone, source: str, seed: int) -> tuple[str, Examples]:
    """Returns the pinned name of the corpus and its examples."""
    if backbone.modality == "image":
        return image_examples(source)
    corpus = pinned_corpus(source)
    if reason := why_no_corpus(corpus):
        raise UsageError(reason.removeprefix("dapt: "))
    return corpus, corpus_examples(corpus, backbone.card().positions, words=False, pairs=False, seed=seed)


def _head(backbone: Backbone, encoder: Encoder) -> PretrainingHead:
    if backbone.modality == "image":
        return ImagePairs(encoder.width, TEMPERATURE, flip=True)
    card = backbone.card()
    if card.vocabulary is None or card.stages == 0:
        raise UsageError(f"{backbone.name} is not known to predict masked or next tokens: use a BERT or a GPT-2")
    return LanguageHead(encoder, card.vocabulary)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from error


def _job(encoder: Encoder, head: PretrainingHead, data: Data, settings: PretrainSettings) -> Job:
    """Returns a job that has what pre-training reads; everything else raises."""
    device = encoder.device
    return Job(
        encoder=encoder,
        head=head,
        train=data,
        held_out=None,
        unlabeled=lambda: None,
        task=TaskInfo("pretraining", OUTPUT, ("accuracy",)),
        metric=METRICS["accuracy"],
        params={},
        protocol=Protocol(),
        seed=settings.seed,
        device=device,
        precision=resolve("auto", device),
        activations=Activations(),
        featurize=_absent("featurize"),
        load=_absent("load"),
        new_head=_absent("new_head"),
        examples=_absent("examples"),
        score=_absent("score"),
        report=_absent("report"),
        once=_absent("once"),
        backbone=_absent("backbone"),
        other=_absent("other"),
        reading=_absent("reading"),
        classifier=_absent("classifier"),
    )


def _absent(name: str) -> Callable[..., Any]:
    def absent(*arguments: object, **options: object) -> Any:
        raise RuntimeError(f"job.{name} is part of a run, and this is none")

    return absent
