"""`run:<cell>`: the encoder that a winner adapted is a backbone for another cell."""

import json
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.errors import UsageError
from tlbench.contracts.resources import Trainable
from tlbench.results.reading.default_folder import search_in
from tlbench.testing.toy_predictors import ToyPredictor
from tlbench.testing.toys import ToyBackbone, ToyFit


@dataclass(frozen=True)
class Savable(ToyBackbone):
    """A toy backbone whose weights can be written to a file and named."""

    name: str = "savable"
    file: str = ""

    def load(self, *, pretrained=True):
        from safetensors.torch import load_file

        encoder = super().load(pretrained=pretrained)
        if self.file and pretrained:
            encoder.load_state_dict(load_file(self.file))
            encoder.identity = self.name
        return encoder

    def save(self, encoder, folder):
        from safetensors.torch import save_file

        save_file(encoder.state_dict(), folder / "model.safetensors")
        return f"savable:{folder}/model.safetensors"


class Doubling(torch.nn.Module):
    """An adapter of a layer norm that doubles its output."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def forward(self, x):
        return 2 * self.base(x)


class Merging(ToyPredictor):
    """A predictor whose adapter can be merged."""

    def exportable(self):
        block = self.encoder.native.blocks[0]
        block.norm = block.norm.base
        with torch.no_grad():
            for weight in block.norm.parameters():
                weight.mul_(2)
        return types.SimpleNamespace(encoder=self.encoder)


@dataclass(frozen=True)
class Adding(ToyFit):
    """Adds a module to the encoder, which its predictor can merge or not."""

    name: ClassVar[str] = "adding"
    merges: bool = True

    def trainable(self, backbone):
        return Trainable(parameters=1)

    def fit(self, job):
        block = job.encoder.native.blocks[0]
        block.norm = Doubling(block.norm)
        predictor = super().fit(job)
        return Merging(job.encoder, job.head, job.device, 1) if self.merges else predictor


@pytest.fixture
def runs(runs, monkeypatch):
    plugin = types.ModuleType("savable_plugin")
    plugin.tlbench_backbones = hookimpl(specname="tlbench_backbones")(lambda: [Savable()])

    @hookimpl
    def tlbench_resolve(kind, name):
        return Savable(name=name, file=name.removeprefix("savable:")) if name.startswith("savable:") else None

    plugin.tlbench_resolve = tlbench_resolve
    plugin.tlbench_strategies = hookimpl(specname="tlbench_strategies")(lambda: [Adding()])
    monkeypatch.setitem(sys.modules, "savable_plugin", plugin)
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,savable_plugin")
    runs.catalog = type(runs.catalog).discover()
    return runs


@pytest.mark.parametrize("keep", ["none", "all"])
def test_an_adapted_encoder_is_a_backbone_of_another_cell(runs, keep):
    record = runs.one("toy-tune", backbones=["savable"], seeds=1, keep_models=keep)
    name = f"run:{runs.folder}/{record.cell.id[:8]}"
    found = runs.catalog.backbone(name)
    base, _, digest = found.ref.name.partition("@")
    assert base == f"run:{record.cell.id}"
    assert len(digest) == len("sha-") + 16
    adapted, before = found.item.load().state_dict(), Savable().load().state_dict()
    assert any(not torch.equal(adapted[key], before[key]) for key in before)
    other = runs.one("toy-fit", backbones=[name], tasks=["toy-count"], seeds=1)
    assert (other.status, other.cell.backbone.name) == ("ok", found.ref.name)
    # In another process, and by a name in the folder that is searched: the same weights.
    search_in(runs.folder)
    again = type(runs.catalog).discover()
    assert again.backbone(found.ref.name).ref == again.backbone(f"run:{record.cell.id}").ref == found.ref
    (file,) = Path(runs.folder).glob("models/*/encoder-0/model.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(UsageError, match="it has changed since it was written: remove it"):
        type(runs.catalog).discover().backbone(found.ref.name)


def test_an_adapter_is_merged_into_the_backbone(runs):
    merged = runs.one("adding", backbones=["savable"], seeds=1)
    backbone = runs.catalog.backbone(f"run:{runs.folder}/{merged.cell.id}").item
    name = "native.blocks.0.norm.weight"
    assert torch.equal(backbone.load().state_dict()[name], 2 * Savable().load().state_dict()[name])
    apart = runs.one("adding[merges=false]", backbones=["savable"], seeds=1)
    with pytest.raises(UsageError, match="adds modules to the encoder, which then is no backbone"):
        runs.catalog.backbone(f"run:{runs.folder}/{apart.cell.id}")


def test_what_is_no_backbone_is_refused_in_one_line(runs):
    guess, tune = runs.one("toy-majority", seeds=1), runs.one("toy-tune", seeds=1)
    frozen = runs.one("toy-fit", backbones=["savable"], seeds=1)
    for record, words in [
        (guess, "toy-majority uses no backbone"),
        (frozen, "toy-fit leaves the encoder as it is: use savable itself"),
        (tune, "cannot be saved as another backbone"),
    ]:
        with pytest.raises(UsageError, match=words):
            runs.catalog.backbone(f"run:{runs.folder}/{record.cell.id}")
    assert not list(Path(runs.folder).glob("models/*/*"))


@pytest.mark.parametrize(
    "name", ["run:{folder}/../../../x", "savable:/elsewhere/{folder}", "{folder}", "savable:{folder}/../x"]
)
def test_a_note_that_names_another_place_is_not_followed(runs, name):
    record = runs.one("toy-tune", backbones=["savable"], seeds=1, keep_models="all")
    runs.catalog.backbone(f"run:{runs.folder}/{record.cell.id}")
    (note,) = Path(runs.folder).glob("models/*/encoder-0.json")
    content = json.loads(note.read_text())
    assert content["name"] == "savable:{folder}/model.safetensors"
    note.write_text(json.dumps({**content, "name": name}))
    with pytest.raises(UsageError, match="it has changed since it was written: remove it"):
        type(runs.catalog).discover().backbone(f"run:{runs.folder}/{record.cell.id}")
