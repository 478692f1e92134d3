"""Tests of the data sets that a model's card names."""

from __future__ import annotations

import pytest
from tlbench_hf.model_card import datasets_in


@pytest.fixture
def card(tmp_path):
    """Returns a function that returns the data sets of a card with this text."""

    def read(text):
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
        return datasets_in(tmp_path)

    return read


def test_the_metadata_name_data_sets_as_a_list_or_alone(card):
    rest = "license: mit\ntags:\n- a\n"
    assert card(f"---\n{rest}datasets:\n- snli\n- nyu-mll/multi_nli\nlanguage: en\n---\n# A model\n") == (
        "snli",
        "nyu-mll/multi_nli",
    )
    assert card(f"---\ndatasets:\n  - snli\n  # a comment\n\n  - snli\n{rest}---\n") == ("snli",)
    assert card(f"---\n{rest}datasets: [a, 'b']\n---\n") == ("a", "b")
    assert card("---\ndatasets: squad_v2\n---\n") == ("squad_v2",)
    # A byte-order mark.
    assert card("\ufeff---\ndatasets: squad_v2\n---\n") == ("squad_v2",)


def test_a_card_without_them_names_none(card, tmp_path):
    assert datasets_in(tmp_path) == ()
    assert card("") == ()
    assert card("# A model\n---\ndatasets:\n- snli\n---\n") == ()
    assert card("---\nlicense: mit\n---\ndatasets:\n- snli\n") == ()
    assert card("---\nmodel-index:\n- name: x\n  datasets:\n  - snli\n---\n") == ()


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "- !!python/name:os.system",
        "[" * 900,
        "- a: 1\n- [b]\n- 3\n- null",
        "- 'a; not searched'\n- \"\\e[2J\"\n- a/b/c",
        "*unknown",
        "\t- a: b: c",
        "[!!int '']",
        "[!!float '']",
        "[!!bool no-boolean]",
        "[!!timestamp no-time]",
        "- 2001-99-99",
        '"\\UFFFFFFFF"',
        "? " * 20_000,
    ],
)
def test_what_is_no_name_is_left_out_and_nothing_runs(card, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    separator = "\n" if value.startswith("-") else " "
    assert card(f"---\ndatasets:{separator}{value}\nlicense: mit\n---\n") == ()
    assert not (tmp_path / "hacked").exists()


def test_a_card_of_any_size_is_read_in_part(card):
    many = "\n".join(f"- d{n}" for n in range(100_000))
    assert len(card(f"---\ndatasets:\n{many}\n---\n")) == 200
    # A list on one line may be long.
    row = ", ".join(f"an-organisation/data-set-{n}" for n in range(50))
    assert len(card(f"---\ndatasets: [{row}]\n---\n")) == 50
    # Megabytes of other metadata are not parsed.
    assert card(f"---\nmodel-index:\n{many}\ndatasets:\n- snli\n---\n") == ("snli",)
