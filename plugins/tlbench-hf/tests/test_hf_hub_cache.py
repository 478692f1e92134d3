"""Models in a hub cache filled by any program: an equal name is an equal model, or a one-line error."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tlbench_hf.plugin import tlbench_resolve
from tlbench_hf.vision.image_backbone import HFVision

from tlbench import Classes, Example, Examples, UsageError
from tlbench.catalog.catalog import Catalog
from tlbench.cli.plan import print_inferred
from tlbench.contracts.cell import Plan

EXAMPLES = Examples([Example("0", ("the cat sat on the mat",)), Example("1", ("the dog ran",))])
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = f"hf:org/name@{COMMIT}"
POOLING = "1_Pooling/config.json"


def resolve(name):
    return tlbench_resolve("backbone", name)


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def cached(hub_cache, bert_folder, no_network) -> Callable[..., Path]:
    def fill(*known_not_to_be: str, without: tuple[str, ...] = ()) -> Path:
        """Returns a repository's snapshot in the cache, as left by a program that requested only some files."""
        repository = hub_cache / "models--org--name"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(COMMIT)
        for name in known_not_to_be:
            mark = repository / ".no_exist" / COMMIT / name
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        snapshot = repository / "snapshots" / COMMIT
        return Path(shutil.copytree(bert_folder, snapshot, ignore=shutil.ignore_patterns(*without)))

    return fill


def test_a_repository_in_the_cache_is_pinned_and_loaded_without_network(cached):
    cached(POOLING)
    backbone = resolve("hf:org/name")
    assert backbone.name == NAME
    assert resolve("hf:org/name@main") == resolve(backbone.name) == backbone
    assert backbone.card().on_disk
    assert backbone.missing() is None
    assert backbone.load().identity == f"{NAME}#blocks=3"
    assert len(backbone.featurize(EXAMPLES, Classes(("no", "yes")))) == 2


def test_a_repository_that_is_nowhere_is_one_clear_line(hub_cache, no_network):
    for name in ("hf:org/name", "hf:org/name@main"):
        what_to_do = r"name one, as hf:org/name@<commit>, or run `tlbench fetch --backbone " + name
        with pytest.raises(UsageError, match=rf"^{name} names no commit, .*: {what_to_do}`") as unpinned:
            resolve(name)
        assert "\n" not in str(unpinned.value)
    assert resolve(NAME).missing() == f"{NAME} is not in the local hub cache: run `tlbench fetch --backbone {NAME}`"
    with pytest.raises(UsageError, match=f"{NAME} is not in the local hub cache and cannot be downloaded") as raised:
        resolve(NAME).load()
    assert "\n" not in str(raised.value)
    assert "config.json, the tokenizer or image processor and model*.safetensors" in str(raised.value)
    assert f"run `tlbench fetch --backbone {NAME}` where the hub can be reached" in str(raised.value)


def test_a_name_without_a_commit_is_pinned_to_the_newest_on_the_hub_and_stays_so(hub_cache, monkeypatch, capsys):
    import huggingface_hub

    commits = [COMMIT, "f" * 40]

    def model_info(repository, revision, timeout):
        assert (repository, revision) == ("org/name", "main")
        return SimpleNamespace(sha=commits.pop(0))

    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=model_info))
    catalog = Catalog.discover()
    assert catalog.backbone("hf:org/name[readout=mean]").ref.name == f"{NAME}[readout=mean]"
    assert catalog.backbone(NAME).ref.name == resolve("hf:org/name").name == NAME
    assert len(commits) == 1, "the hub is asked once"
    assert catalog.pinned() == {"hf:org/name": NAME}
    print_inferred(Plan("suite", ()), catalog)
    assert capsys.readouterr().err == f"hf:org/name is pinned to {NAME}\n"


def test_an_answer_that_is_no_commit_is_refused(hub_cache, monkeypatch):
    import huggingface_hub

    info = SimpleNamespace(sha="../../x")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=lambda *_, **__: info))
    with pytest.raises(UsageError, match="the hub gave no commit for org/name"):
        resolve("hf:org/name")
    assert not hub_cache.exists()


def test_how_a_repository_is_read_does_not_depend_on_who_cached_it(cached):
    snapshot = cached()
    backbone = resolve("hf:org/name")
    assert not backbone.card().on_disk
    assert "1_Pooling/config.json; run `tlbench fetch` online" in backbone.missing()
    with pytest.raises(UsageError, match=r"1_Pooling.*run `tlbench fetch` online, or set readout=") as raised:
        backbone.load()
    assert "\n" not in str(raised.value)
    assert dataclasses.replace(backbone, readout="last").load().readout == "last"
    (snapshot / "1_Pooling").mkdir()
    (snapshot / POOLING).write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert backbone.card().on_disk
    assert backbone.load().readout == "first"


@pytest.mark.parametrize(
    ("without", "lacks"), [("tokenizer*", "tokenizer or image processor"), ("tokenizer_config.json",) * 2]
)
def test_a_repository_that_was_cached_without_its_tokenizer_is_not_there(cached, without, lacks):
    cached(POOLING, without=(without,))
    assert not resolve(NAME).card().on_disk
    with pytest.raises(UsageError, match=f"without checking for its {lacks}; run `tlbench fetch` online"):
        dataclasses.replace(resolve(NAME), readout="mean").load()


def test_a_cached_repository_with_an_adapter_is_refused_by_name(cached):
    snapshot = cached(POOLING)
    backbone = resolve(NAME)
    (snapshot / "adapter_config.json").write_text("{}")
    for ask in (lambda: resolve("hf:org/name"), backbone.load):
        with pytest.raises(UsageError, match=f"^{NAME}: the folder has an adapter"):
            ask()


def test_an_image_model_is_known_by_its_configuration_and_there_with_its_processor(cached, rewrite):
    snapshot = cached(without=("tokenizer*",))
    rewrite(snapshot, model_type="vit")
    backbone = resolve("hf:org/name")
    assert isinstance(backbone, HFVision)
    assert not backbone.card().on_disk
    (snapshot / "preprocessor_config.json").write_text("{}")
    assert backbone.card().on_disk
