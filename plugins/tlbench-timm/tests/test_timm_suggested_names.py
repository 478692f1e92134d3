"""A timm model given without `timm:`: the message suggests the name with it."""

import pytest
from tlbench_timm.suggested_names import suggested

from tlbench import UsageError
from tlbench.catalog.catalog import Catalog


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("resnet18", ["timm:resnet18"]),
        ("resnet18.a1_in1k", ["timm:resnet18.a1_in1k"]),
        ("timm/vit_base_patch16_224", ["timm:vit_base_patch16_224"]),
        ("resnet17", []),
        ("bert-base-uncased", []),
        ("..", []),
    ],
)
def test_what_a_name_without_the_scheme_may_mean(name, names):
    assert suggested(name) == names


def test_the_message_of_an_unknown_backbone_has_the_suggestion():
    with pytest.raises(UsageError, match=r"unknown backbone 'resnet18'; did you mean timm:resnet18"):
        Catalog.discover().backbone("resnet18")
