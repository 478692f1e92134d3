"""Sources of weights, and which files are refused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.plugin import tlbench_resolve

from tlbench import PluginError, UsageError
from tlbench.catalog.catalog import Catalog

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def resolved(name: str, **parameters: object) -> TimmBackbone:
    backbone = tlbench_resolve("backbone", name)
    assert isinstance(backbone, TimmBackbone)
    return dataclasses.replace(backbone, **parameters)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    import socket

    import huggingface_hub.constants

    def refuse(*_: object, **__: object) -> None:
        raise OSError("a socket was opened")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    return tmp_path / "hub"


def cached(hub: Path, path: Path, repository: str) -> None:
    folder = hub / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    shutil.copy(path, snapshot / "model.safetensors")
    (snapshot / "config.json").write_text('{"pretrained_cfg": {"license": "apache-2.0"}}')


def test_weights_of_a_file_are_all_loaded_but_for_the_classifier(tmp_path, weights_file):
    from safetensors.torch import load_file

    path = weights_file(tmp_path, "test_resnet", classes=5)
    encoder = resolved("timm:test_resnet", weights=str(path)).load()
    stored = load_file(path)
    found = encoder.native.state_dict()
    assert found.keys() == {name for name in stored if not name.startswith("fc.")}
    assert all(torch.equal(found[name], stored[name]) for name in found)
    card = resolved("timm:test_resnet", weights=str(path)).card()
    assert card.parameters == sum(p.numel() for p in encoder.parameters())
    assert (card.family, card.on_disk) == ("resnet", True)
    without = resolved("timm:test_resnet", weights=str(weights_file(tmp_path, "test_resnet"))).load()
    assert without.native.state_dict().keys() == found.keys()


def test_the_name_carries_the_files_digest(tmp_path, weights_file):
    path = weights_file(tmp_path, "test_vit")
    catalog = Catalog.discover()
    found = catalog.backbone(f"timm:test_vit[weights={path}]")
    assert found.ref.name.startswith(f"timm:test_vit[weights={path.name}@sha-")
    assert Catalog.discover().backbone(found.ref.name).ref == found.ref
    weights_file(tmp_path, "test_vit", change=lambda state: {k: v + 1 for k, v in state.items()})
    with pytest.raises(UsageError, match=r"digest of .* is now"):
        Catalog.discover().backbone(found.ref.name)
    with pytest.raises(UsageError, match=r"digest of .* is now"):
        found.item.load()
    assert Catalog.discover().backbone(f"timm:test_vit[weights={path}]").ref != found.ref


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda state: {k: v for k, v in state.items() if "layer2.0.conv1" not in k}, "layer2.0.conv1"),
        (lambda state: {**state, "layer9.weight": torch.zeros(3)}, "layer9"),
        (lambda state: {**state, "bn1.weight": torch.zeros(3)}, "size mismatch"),
    ],
    ids=["missing", "left over", "another shape"],
)
@pytest.mark.parametrize("classes", [0, 5])
def test_weights_that_do_not_fit_are_refused(change, what, classes, tmp_path, weights_file):
    path = weights_file(tmp_path, "test_resnet", classes=classes, change=change)
    with pytest.raises(PluginError, match=what) as caught:
        resolved("timm:test_resnet", weights=str(path)).load()
    assert "\n" not in str(caught.value)


def test_a_family_that_timm_loads_leniently_is_loaded_strictly(tmp_path, weights_file):
    path = weights_file(tmp_path, "dla46x_c", classes=3)
    assert resolved("timm:dla46x_c", weights=str(path), size=64).load().width == 256
    weights_file(tmp_path, "dla46x_c", 3, lambda state: {k: v for k, v in state.items() if "level5.tree1" not in k})
    with pytest.raises(PluginError, match=r"missing from the file: level5\.tree1"):
        resolved("timm:dla46x_c", weights=str(path), size=64).load()


def test_pickles_and_files_that_are_not_there_are_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"only \.safetensors files"):
        resolved("timm:test_vit", weights=str(tmp_path / "weights.pth"))
    with pytest.raises(UsageError, match="no such file"):
        resolved("timm:test_vit", weights=str(tmp_path / "gone.safetensors"))
    (tmp_path / "weights.pth").rename(tmp_path / "pickle.safetensors")
    with pytest.raises(UsageError, match="not a safetensors file"):
        resolved("timm:test_vit", weights=str(tmp_path / "pickle.safetensors")).load()


def test_weights_that_are_not_here_are_one_line():
    backbone = resolved("timm:test_vit.r160_in1k")
    card = backbone.card()
    assert (card.on_disk, card.parameters, card.pretraining_data) == (False, None, "ImageNet-1k")
    with pytest.raises(UsageError, match=r"pin what to fetch, as timm:test_vit\.r160_in1k@<commit>") as caught:
        backbone.load()
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"cannot be downloaded.*model.safetensors of timm/.* run `tlbench fetch"):
        resolved(f"timm:test_vit.r160_in1k@{COMMIT}").fetch()
    assert len(backbone.load(pretrained=False).stages) == 7


def test_weights_in_the_hubs_cache_are_pinned_and_loaded(hub, tmp_path, weights_file):
    cached(hub, weights_file(tmp_path, "test_vit", classes=1000), "timm/test_vit.r160_in1k")
    backbone = resolved("timm:test_vit.r160_in1k")
    assert backbone.name == f"timm:test_vit.r160_in1k@{COMMIT}"
    card = backbone.card()
    assert (card.on_disk, card.licence, card.revision) == (True, "apache-2.0", COMMIT)
    encoder = backbone.load()
    assert card.parameters == sum(p.numel() for p in encoder.parameters())
    assert COMMIT in encoder.identity
    # Without its tag the name says too little to be pinned, but timm knows where its weights are.
    assert resolved("timm:test_vit").load().width == encoder.width


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:test_vitt", "did you mean test_vit"),
        ("timm:test_vit.nothing", r"no weights with the tag .* available: test_vit\."),
        ("timm:vgg11_nothing", "timm has no model"),
    ],
)
def test_an_unknown_model_is_one_line(name, message):
    backbone = resolved(name)
    for use in (backbone.load, backbone.data_config, lambda: backbone.load(pretrained=False)):
        with pytest.raises(UsageError, match=message):
            use()


@pytest.mark.parametrize("name", ["timm:", "timm:a/b", "timm:../x"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(UsageError, match="not a timm model name"):
        tlbench_resolve("backbone", name)
    assert tlbench_resolve("task", name) is None
    assert tlbench_resolve("backbone", "hf:x") is None
