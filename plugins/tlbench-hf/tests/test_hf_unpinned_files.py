"""Files that decide a model and that no digest would pin: each is refused, or part of the digest."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from tlbench_hf.plugin import tlbench_resolve
from tlbench_hf.sources import digest, weight_files

from tlbench import UsageError


def resolve(folder):
    return tlbench_resolve("backbone", f"hf:{folder}")


def settings(folder, name, **values):
    path = folder / name
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **values}))


def refused(folder, message):
    with pytest.raises(UsageError, match=message) as raised:
        resolve(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["other.safetensors", "../other.safetensors", "sub/model.safetensors.index.json"])
def test_other_weights_that_the_configuration_names(bert_folder, rewrite, value):
    rewrite(bert_folder, transformers_weights=value)
    refused(bert_folder, r"config\.json names other files, under transformers_weights")


@pytest.mark.parametrize("value", [["config.4.0.0.json"], ["config.x/../../config.json"]])
def test_other_configurations_that_the_configuration_names(bert_folder, rewrite, value):
    rewrite(bert_folder, configuration_files=value)
    refused(bert_folder, r"config\.json names other files, under configuration_files")


SHARDS = (
    "../outside.safetensors", "/outside.safetensors", "sub/a.safetensors", "a.bin", "", "..", 3, None, "a\0.safetensors"
)  # fmt: skip


@pytest.mark.parametrize("shard", SHARDS)
def test_an_index_that_names_files_elsewhere(bert_folder, shard):
    (bert_folder / "model.safetensors").unlink()
    settings(bert_folder, "model.safetensors.index.json", metadata={}, weight_map={"a": shard})
    refused(bert_folder, r"model\.safetensors\.index\.json: it must name safetensors files of its own folder")


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "{", "[" * 100_000])
def test_an_index_that_is_none(bert_folder, content):
    (bert_folder / "model.safetensors").unlink()
    (bert_folder / "model.safetensors.index.json").write_text(content)
    refused(bert_folder, r"model\.safetensors\.index\.json")


def test_the_weights_that_are_loaded_are_those_of_the_digest(bert_folder):
    """transformers prefers a single file to the files of an index, and so does the digest."""
    before = digest(bert_folder)
    shutil.copy(bert_folder / "model.safetensors", bert_folder / "model-1.safetensors")
    settings(bert_folder, "model.safetensors.index.json", metadata={}, weight_map={"a": "model-1.safetensors"})
    assert [path.name for path in weight_files(bert_folder)] == ["model.safetensors"]
    with_index = digest(bert_folder)
    content = (bert_folder / "model.safetensors").read_bytes()
    (bert_folder / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert len({before, with_index, digest(bert_folder)}) == 3


@pytest.mark.parametrize("name", ["spiece.model", "source.spm", "bpe.codes", "vocab.bpe", "a.tiktoken", "vocab.json"])
def test_every_file_of_a_tokenizer_is_part_of_the_digest(bert_folder, name):
    before = digest(bert_folder)
    (bert_folder / name).write_text("{}")
    assert digest(bert_folder) != before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "vocab.txt"])
def test_links_out_of_the_folder(bert_folder, tmp_path, name):
    shutil.copy(bert_folder / "config.json", tmp_path / "elsewhere")
    (bert_folder / name).unlink(missing_ok=True)
    (bert_folder / name).symlink_to(tmp_path / "elsewhere")
    refused(bert_folder, rf"{name} is a link that leads out of the folder: copy the file here")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json"])
def test_pipes(bert_folder, name):
    (bert_folder / name).unlink(missing_ok=True)
    os.mkfifo(bert_folder / name)
    refused(bert_folder, rf"{name} is not a regular file: remove it")


def test_links_inside_of_the_folder(bert_folder):
    before = digest(bert_folder)
    (bert_folder / "model.safetensors").rename(bert_folder / "weights")
    (bert_folder / "model.safetensors").symlink_to("weights")
    assert digest(bert_folder) == before
    assert resolve(bert_folder).load()


def test_files_that_the_tokenizers_settings_name(bert_folder, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    settings(bert_folder, "tokenizer_config.json", tokenizer_file="/root/of/the/author/tokenizer.json")
    assert resolve(bert_folder)
    for value in ("../vocab.txt", str(tmp_path / "vocab.txt")):
        settings(bert_folder, "tokenizer_config.json", vocab_file=value)
        refused(bert_folder, r"tokenizer_config\.json names a file elsewhere, under vocab_file: remove it")


def test_a_folder_that_changes_after_it_was_named(bert_folder, rewrite):
    backbone = resolve(bert_folder)
    assert backbone.load()
    rewrite(bert_folder, lambda tensors: {name: tensor + 1 for name, tensor in tensors.items()})
    with pytest.raises(UsageError, match="its files have changed since it was named"):
        backbone.load()
