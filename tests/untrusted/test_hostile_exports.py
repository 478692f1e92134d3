"""Hostile names in exported models, their cards and every format of a leaderboard: they are text, or the same names."""

import json
import re
from collections.abc import Mapping

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.untrusted.hostile_texts import ALL_HOSTILE, FURTHER
from tlbench import Card, Classes, Protocol
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.exports.forms import ExportedFiles
from tlbench.contracts.record import FitResult
from tlbench.running.exporting.export_card import ExportFacts, card_text
from tlbench.testing.conformance.media import taken_for_commands
from tlbench.testing.conformance.renderer import example_page
from tlbench.testing.exports.exported_predictions import exported
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toy_plugin import tlbench_strategies
from tlbench.testing.toys import ToyBackbone, ToyTask

MEDIA = {"markdown": "markdown", "csv": "csv", "json": "json", "latex": "latex", "svg": "html"}


@pytest.mark.parametrize("name", MEDIA)
@pytest.mark.parametrize("kind", FURTHER)
def test_a_leaderboard_of_every_format_has_names_as_text(kind, name):
    renderer = Catalog.discover().renderer(name).item
    written = renderer.render(example_page(FURTHER[kind]))
    assert not taken_for_commands(MEDIA[name], written, renderer.render(example_page()))


class Names(ToyTask):
    output = Classes(tuple(ALL_HOSTILE.values()))

    def split(self, name):
        # Each class has examples, so that each name is predicted by some row or other.
        return ToyTask().split(name)


def test_all_hostile_names_of_classes_go_through_an_export_unchanged(tmp_path):
    strategy = next(one for one in tlbench_strategies() if one.name == "toy-tune")
    rehearsal = Rehearsal(strategy, ToyBackbone(), Names(), Protocol(max_steps=3, precision="fp32"))
    written = exported(rehearsal.fit_ok().predictor, ToyBackbone(), Names(), rehearsal.data(), tmp_path / "model")
    found = written.predictions()
    assert written.problem(found) == ""
    assert len(ALL_HOSTILE) == 41
    assert list(found[0]["scores"]) == list(ALL_HOSTILE.values())
    assert json.loads((tmp_path / "model" / "model.json").read_text())["output"]["names"] == [*ALL_HOSTILE.values()]
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_labels_of_transformers_are_the_names_themselves(tmp_path):
    transformers = pytest.importorskip("transformers")
    names = dict(enumerate(ALL_HOSTILE.values()))
    transformers.BertConfig(id2label=names, label2id={name: i for i, name in names.items()}).save_pretrained(tmp_path)
    assert transformers.AutoConfig.from_pretrained(tmp_path).id2label == names


def card_of(text):
    record = example_page(text).records[0]
    fit = FitResult(dict(record.best_params), 0, "final", 1, "ok", validation=0.5)
    files = ExportedFiles(None, {}, True, "numpy", "# none", ())
    backbone = Card(licence=f"{text} mit".strip(), source=f"{text} a".strip(), pretraining_data=f"{text} data".strip())
    output = Classes((f"{text} no".strip(), "yes"))
    ties, standing = [f"{text} lora".strip()], "It has rank 1."
    return card_text(ExportFacts(record, fit, output, "text", files, backbone, 3, ties=ties, standing=standing))


HEAD = re.compile(r"\A---\n(.*?)\n---\n(.*)", re.DOTALL)


@pytest.mark.parametrize("kind", ALL_HOSTILE)
def test_a_model_card_has_names_as_text(kind):
    (head, body), (plain_head, plain_body) = (HEAD.match(card_of(text)).groups() for text in (ALL_HOSTILE[kind], ""))
    assert not taken_for_commands("markdown", body, plain_body)
    assert shape(yaml.safe_load(head)) == shape(yaml.safe_load(plain_head))
    assert ModelCard(f"---\n{head}\n---\n{body}").data.model_name


def shape(value):
    """Returns the keys of nested values, without the values."""
    if isinstance(value, Mapping):
        return {key: shape(part) for key, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else type(value).__name__
