"""A model of the hub or a folder given without `hf:`: the message suggests the name with it."""

import pytest
from tlbench_hf.suggested_names import suggested

from tlbench import UsageError
from tlbench.catalog.catalog import Catalog


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("bert-base-uncased", ["hf:google-bert/bert-base-uncased"]),
        ("roberta-base", ["hf:FacebookAI/roberta-base"]),
        ("distilbert-base-uncased", ["hf:distilbert/distilbert-base-uncased"]),
        ("gpt2", ["hf:openai-community/gpt2"]),
        ("org/model", ["hf:org/model"]),
        ("org/model@main", ["hf:org/model@main"]),
        ("folder", ["hf:folder"]),
        ("minilm-l9", []),
        ("~nobody-here/x/y", []),
    ],
)
def test_what_a_name_without_the_scheme_may_mean(tmp_path, monkeypatch, name, names):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text("{}")
    assert suggested(name) == names


def test_the_message_of_an_unknown_backbone_has_the_suggestion():
    with pytest.raises(UsageError, match=r"did you mean hf:google-bert/bert-base-uncased\?"):
        Catalog.discover().backbone("bert-base-uncased")
