"""Token and span tasks (WNUT-17, SQuAD) through a real encoder; skipped where the files are not here."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from tlbench_hf.plugin import tlbench_backbones

from tlbench import Answer, Example, Examples, Protocol, Span, Task, TokenClasses
from tlbench.modeling.heads import Outputs, SpanHead, TokenHead
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyFit
from tlbench.training import Model, groups_of, train

KINDS = ("corporation", "creative-work", "group", "location", "person", "product")
TAGS = TokenClasses(("O", *(f"{begins}-{kind}" for kind in KINDS for begins in "BI")))
BACKBONES = {backbone.name: backbone for backbone in tlbench_backbones()}


def real(path: str) -> Path:
    for root in filter(None, os.environ.get("TLBENCH_DATA", "").split(os.pathsep)):
        if (Path(root) / path).is_file():
            return Path(root) / path
    pytest.skip(f"{path} is not in the folder that TLBENCH_DATA names")


@pytest.fixture(scope="module")
def wnut17() -> Examples:
    text = real("wnut17/wnut17train.conll").read_text(encoding="utf-8")
    rows: list[tuple[tuple[str, ...], tuple[int, ...]]] = []
    words: list[str] = []
    tags: list[int] = []
    for line in [*text.split("\n"), ""]:
        if not line.strip():
            if words:
                rows.append((tuple(words), tuple(tags)))
            words, tags = [], []
            continue
        word, tag = line.split("\t")
        words.append(word)
        tags.append(TAGS.names.index(tag.strip()))
    return Examples(Example(str(i), (words,), tags) for i, (words, tags) in enumerate(rows))


@pytest.fixture(scope="module")
def squad() -> Examples:
    file = real("squad_v1.1/dev-v1.1.part1.json")
    rows = []
    for article in json.loads(file.read_text(encoding="utf-8"))["data"][:4]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = tuple(Answer(a["text"], a["answer_start"]) for a in asked["answers"])
                rows.append(Example(asked["id"], (asked["question"], paragraph["context"]), answers))
    return Examples(rows)


def test_every_word_of_wnut17_is_found_in_short_rows_as_in_long_ones(wnut17: Examples):
    assert len(wnut17) == 3394
    head = TokenHead(4, TAGS)
    for length in (24, 128):
        data = dataclasses.replace(BACKBONES["minilm-l6"], max_length=length).featurize(wnut17, TAGS)
        found: list[list[int]] = [[] for _ in wnut17]
        for owner, words in zip(data.owners.tolist(), data.alignment, strict=True):
            found[owner] += words[words >= 0].tolist()
        lost = [e.inputs[0][i] for e, w in zip(wnut17, found, strict=True) for i in set(range(len(e.target))) - set(w)]
        assert all(len(w) == len(set(w)) for w in found)
        # what the tokenizer's normalisation leaves nothing of: joiners and the like
        assert len(lost) < 30
        assert not any(any(character.isalnum() for character in word) for word in lost), lost
        told = Outputs([row.float().clamp(min=0).numpy() for row in head.targets(data)])
        answers = head.merge([told], data).values
        assert sum(a != e.target for a, e in zip(answers, wnut17, strict=True)) <= len(lost)


def test_the_positions_of_every_answer_of_squad_hold_its_text(squad: Examples):
    assert len(squad) > 500
    data = dataclasses.replace(BACKBONES["minilm-l6"], max_length=96).featurize(squad, Span())
    places = SpanHead(4).targets(data).tolist()
    held = np.zeros(len(squad), dtype=bool)
    exact = 0
    for owner, offsets, (first, last) in zip(data.owners.tolist(), data.alignment, places, strict=True):
        if (first, last) == (0, 0):
            continue
        text = squad[owner].inputs[1][offsets[first, 0] : offsets[last, 1]]
        texts = [answer.text for answer in squad[owner].target]
        assert any(answer.strip() in text for answer in texts)
        exact += not held[owner] and text in texts
        held[owner] = True
    # an answer may be longer than what two windows share, or end within a word
    assert held.mean() > 0.99
    assert exact > 0.97 * len(squad)


@dataclasses.dataclass(frozen=True)
class Few(Task):
    """The first examples of a file, the same to train on and to validate on."""

    name = "few"
    modality = "text"
    metrics = ("entity_f1",)

    examples: Examples
    output: TokenClasses | Span = TAGS

    def split(self, name: str) -> Examples | None:
        return None if name == "unlabeled" else self.examples


@pytest.mark.parametrize("kind", ["words", "spans"])
def test_the_upper_blocks_of_a_real_encoder_learn_a_few_examples(kind: str, request: pytest.FixtureRequest):
    if kind == "words":
        short = [e for e in request.getfixturevalue("wnut17") if 4 < len(e.target) < 16 and any(e.target)]
        task, backbone = Few(examples=Examples(short[:24])), BACKBONES["minilm-l3"]
    else:
        short = sorted(request.getfixturevalue("squad"), key=lambda e: len(e.inputs[1]))
        task, backbone = Few(output=Span(), examples=Examples(short[:12])), BACKBONES["minilm-l3"]
    job = make_job(ToyFit(), backbone, task, protocol=Protocol(precision="fp32", max_steps=16))
    model = Model(job.encoder, job.head, start=2)
    losses: list[float] = []
    original = model.head.loss
    model.head.loss = lambda *a: (loss := original(*a), losses.append(loss.item()))[0]
    predictor = train(model, job.train, job, groups_of(model, 5e-4), batch_size=12)
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    answers = predictor.predict(job.train)
    if kind == "words":
        assert any(any(answer) for answer in answers.values)
    else:
        wanted = {example.id: [answer.text for answer in example.target] for example in task.examples}
        assert sum(a in wanted[i] for i, a in zip(answers.ids, answers.values, strict=True)) >= 3
