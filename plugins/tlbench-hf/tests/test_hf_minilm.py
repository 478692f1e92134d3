"""The backbones that need no hub, with their real weights."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from tlbench_hf.plugin import tlbench_backbones

from tlbench import Classes, Example, Examples, PluginError, Span, UsageError
from tlbench.modeling.encoder import Hidden, count_parameters

OUTPUT = Classes(("no", "yes"))
TEXTS = ("A cat sat on the mat.", "Rain.", "The road that they had taken was longer than anybody remembered.")


@pytest.fixture(scope="module")
def backbones():
    return {backbone.name: backbone for backbone in tlbench_backbones()}


@pytest.fixture(scope="module")
def whole(backbones):
    return backbones["minilm-l6"].load()


def singles() -> Examples:
    return Examples(Example(str(i), (text,), i % 2) for i, text in enumerate(TEXTS))


def pairs() -> Examples:
    return Examples(Example(str(i), (text, TEXTS[0]), i % 2) for i, text in enumerate(TEXTS))


@pytest.mark.parametrize("examples", [singles(), pairs()], ids=["one text", "two texts"])
def test_a_cut_at_every_stage_gives_the_same_bits(backbones, whole, examples):
    batch = backbones["minilm-l6"].featurize(examples, OUTPUT).batch(range(3))
    assert not batch["attention_mask"].all(), "the case needs padding"
    with torch.no_grad():
        expected = whole(batch)
        assert len(whole.stages) == 7
        for k in range(1, 8):
            middle = whole(batch, stop=k)
            rest = whole(Hidden(middle.x.clone(), middle.mask), start=k)
            assert torch.equal(rest.x, expected.x), k


def test_other_files_in_the_package_are_refused(backbones, monkeypatch):
    for use in (backbones["minilm-l3"].load, backbones["minilm-l3"].fetch):
        use()
        with monkeypatch.context() as patch:
            patch.setattr(type(backbones["minilm-l3"]), "content_digest", "0" * 12)
            with pytest.raises(UsageError, match=r"minilm-l3: the files in .* have digest \w{12}, not 0{12}"):
                use()


def test_it_is_what_it_was_trained_to_be(backbones, whole):
    """Sentences that mean the same lie closer than those that do not."""
    texts = ("A man is playing a guitar.", "Someone plays an instrument.", "The stock market fell sharply today.")
    examples = Examples(Example(str(i), (text,)) for i, text in enumerate(texts))
    batch = backbones["minilm-l6"].featurize(examples, OUTPUT).batch(range(3))
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(whole.pool(whole(batch)))
    near, far = (vectors[0] @ vectors[1]).item(), (vectors[0] @ vectors[2]).item()
    assert near > 0.5
    assert far < 0.2


@pytest.mark.parametrize(("name", "blocks"), [("minilm-l6", 6), ("minilm-l3", 3), ("minilm-l0", 0)])
def test_lower_blocks_are_those_of_the_whole(backbones, whole, name, blocks):
    encoder = backbones[name].load()
    batch = backbones[name].featurize(pairs(), OUTPUT).batch(range(3))
    with torch.no_grad():
        assert torch.equal(encoder(batch).x, whole(batch, stop=blocks + 1).x)
    assert len(encoder.stages) == blocks + 1
    assert encoder.native.config.num_hidden_layers == blocks
    card = backbones[name].card()
    assert card.parameters == count_parameters(encoder)
    assert (card.stages, card.width, card.family) == (blocks, encoder.width, "bert")
    assert card.dropped_heads == encoder.native.config.num_attention_heads == 12, "its attention has dropout"


def test_identities_are_equal_for_equal_weights_alone(backbones):
    identities = [backbones[name].load().identity for name in ("minilm-l6", "minilm-l6", "minilm-l3", "minilm-l0")]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3
    random = [backbones["minilm-l0"].load(pretrained=False).identity for _ in range(2)]
    assert random[0] != random[1]


def test_the_three_share_their_tokens(backbones):
    names = ("minilm-l6", "minilm-l3", "minilm-l0")
    data = [backbones[name].featurize(singles(), OUTPUT) for name in names]
    assert len({each.fingerprint for each in data}) == 1
    other = backbones["minilm-l6"].featurize(pairs(), OUTPUT)
    assert other.fingerprint != data[0].fingerprint


def test_rows_are_padded_on_the_right_to_the_longest(backbones):
    data = backbones["minilm-l6"].featurize(pairs(), OUTPUT)
    batch = data.batch([1, 0])
    assert batch["input_ids"].shape == (2, max(data.lengths[:2]))
    assert batch["attention_mask"].sum(1).tolist() == [data.lengths[1], data.lengths[0]]
    assert batch["input_ids"][:, 0].tolist() == [101, 101]
    assert batch["token_type_ids"][0].tolist() == [0] * 4 + [1] * 8 + [0] * (batch["input_ids"].shape[1] - 12)
    assert all(value.dtype == torch.int64 for value in batch.values())
    assert data.targets.tolist() == [0, 1, 0]
    assert np.array_equal(data.owners, np.arange(3))


def test_long_inputs_are_cut_at_the_longer_text(backbones):
    import dataclasses

    short = dataclasses.replace(backbones["minilm-l6"], max_length=12)
    examples = Examples([Example("0", ("cat " * 50, "dog"))])
    data = short.featurize(examples, OUTPUT)
    assert data.lengths.tolist() == [12]
    assert data.rows[0].types.tolist() == [0] * 10 + [1] * 2
    longer = dataclasses.replace(short, max_length=100_000).featurize(Examples([Example("0", ("cat " * 900,))]), OUTPUT)
    assert longer.lengths.tolist() == [512], "no more than the model has positions for"
    assert longer.fingerprint != data.fingerprint
    assert data.truncated.tolist() == longer.truncated.tolist() == [True]
    assert backbones["minilm-l6"].card().most_positions == 512


@pytest.mark.parametrize(("words", "truncated"), [(9, False), (10, False), (11, True)])
def test_a_text_that_just_fits_is_not_truncated(backbones, words, truncated):
    import dataclasses

    short = dataclasses.replace(backbones["minilm-l6"], max_length=12)
    for inputs in (("cat " * words,), ("cat " * (words - 2), "dog")):
        assert short.featurize(Examples([Example("0", inputs)]), OUTPUT).truncated.tolist() == [truncated]


def test_inputs_of_another_kind_are_refused(backbones):
    backbone = backbones["minilm-l0"]
    mixed = Examples([Example("0", ("a",)), Example("1", ("a", "b"))])
    for examples in (mixed, Examples([Example("0", (3,))]), Examples([Example("0", ("a", "b", "c"))])):
        with pytest.raises(PluginError, match="one or two texts"):
            backbone.featurize(examples, OUTPUT)
    with pytest.raises(PluginError, match="question and its context"):
        backbone.featurize(singles(), Span())
    assert len(backbone.featurize(Examples([]), OUTPUT)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 7}, "depth is 7, but the model has 6 blocks"),
        ({"depth": -1}, "depth is -1"),
        ({"readout": "median"}, "no readout 'median'"),
        ({"max_length": 0}, "max_length is 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(backbones, change, message):
    import dataclasses

    with pytest.raises(UsageError, match=message):
        dataclasses.replace(backbones["minilm-l6"], **change).load()


def test_no_socket_is_opened(backbones, no_network, monkeypatch):
    from tlbench_hf.text.tokenizing import load_tokenizer

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    load_tokenizer.cache_clear()
    backbones["minilm-l3"].load()
    assert len(backbones["minilm-l3"].featurize(singles(), OUTPUT)) == 3


def test_cards_are_read_without_torch_or_transformers():
    code = (
        "import sys; from tlbench_hf.plugin import tlbench_backbones;"
        "assert [b.card().stages for b in tlbench_backbones()][:4] == [6, 3, 0, 4];"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_prints_nothing(backbones, capfd):
    backbones["minilm-l3"].load()
    backbones["minilm-l3"].load(pretrained=False)
    assert capfd.readouterr() == ("", "")
