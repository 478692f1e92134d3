"""`tlbench pretrain`: what it leaves can be named as a backbone, and mistakes are one line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"the cat dog sat ran on mat road far".split()]


@pytest.fixture(autouse=True)
def with_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench_pretrain.plugin")
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A folder with a tiny BERT and its tokenizer."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path / "bert"
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **special).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16,
    )  # fmt: skip
    torch.manual_seed(3)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def named(capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, float]]:
    """Returns the name of the new backbone and the losses that the command printed."""
    *losses, last = capsys.readouterr().out.splitlines()
    return shlex.split(last)[3], {key: float(value) for key, value in (line.split() for line in losses)}


def test_a_text_model_is_written_as_a_folder_that_a_run_reads(
    bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, out = tmp_path / "texts.txt", tmp_path / "new"
    corpus.write_text("\n".join(f"the {a} {b} on the {c}" for a in WORDS[6:8] for b in WORDS[8:10] for c in WORDS[11:]))
    arguments = ["pretrain", str(corpus), "-b", f"hf:{bert}", "-o", str(out), "--batch-size", "4", "--device", "cpu"]
    assert _main([*arguments, "--steps", "60", "--lr", "0.01"]) == 0
    name, losses = named(capsys)
    assert losses["lm_loss_after"] < losses["lm_loss_before"] - 0.5
    # As JSON, for which the same command writes another folder.
    again = [*arguments[:5], str(tmp_path / "again"), *arguments[6:]]
    assert _main([*again, "--steps", "60", "--lr", "0.01", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["format"] == 1
    assert printed["backbone"].endswith("again")
    assert printed["notes"] == pytest.approx(losses, rel=1e-3)
    backbone: Any = Catalog.discover().backbone(name).item
    assert backbone.card().vocabulary.mask == 4
    made = json.loads((out / "tlbench_pretraining.json").read_text())
    assert made["corpus"].startswith(f"{corpus}@")
    assert made["steps"] == 60
    # Random weights were trained, and none of the named backbone's.
    (old, new) = (Catalog.discover().backbone(one).item.load().native for one in (f"hf:{bert}", name))
    assert (old.embeddings.word_embeddings.weight - new.embeddings.word_embeddings.weight).abs().max() > 0.05
    assert _main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


def test_an_image_model_is_written_as_weights_that_a_run_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number in range(8):
        image = Image.fromarray(draw.integers(0, 255, (16, 16, 3), np.uint8))
        image.save(tmp_path / "photos" / ("inner" if number % 2 else "") / f"{number}.png")
    backbone = "timm:test_resnet[size=32]"
    arguments = ["pretrain", str(tmp_path / "photos"), "-b", backbone, "-o", str(tmp_path / "new")]
    assert _main([*arguments, "--steps", "2", "--batch-size", "4", "--device", "cpu"]) == 0
    name, losses = named(capsys)
    assert name.startswith("timm:test_resnet[size=32,weights=")
    assert losses["pretraining_rows"] == 6
    assert Catalog.discover().backbone(name).item.missing() is None


@pytest.mark.parametrize(
    ("source", "backbone", "message"),
    [
        ("none.txt", "toy", "cannot be saved as another backbone"),
        ("none.txt", "minilm-l6", "the corpus none.txt is not here"),
        ("none", "timm:test_resnet", "no such folder of images"),
    ],
)
def test_mistakes_are_one_line(
    source: str, backbone: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(["pretrain", source, "-b", backbone, "-o", str(tmp_path / "new")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "new").exists()


def test_commands_of_plugins_are_listed_and_have_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(["--help"]) == 0
    assert "Pre-train a backbone on unlabelled texts or images." in capsys.readouterr().out
    assert _main(["pretrain", "--help"]) == 0
    assert "--from-pretrained" in capsys.readouterr().out
    assert _main(["pretrian"]) == 2
    assert "pretrian" in capsys.readouterr().err
