"""Advice on reading more of long texts names an option that the backbone has and a length that its model can take."""

from dataclasses import dataclass

import pytest

from tlbench import Backbone, Card
from tlbench.catalog.catalog import Found
from tlbench.contracts.cell import Ref
from tlbench.running.longer_texts import longer_texts


@dataclass(frozen=True)
class Long(Backbone):
    name: str = "long"
    modality = "text"
    max_length: int = 128
    most: int | None = None

    def card(self):
        return Card(most_positions=self.most)


class Plain(Backbone):
    name, modality = "plain", "text"


@pytest.mark.parametrize(
    ("most", "name", "advice"),
    [
        (None, "long", "-b 'long[max_length=256]' reads up to 256 tokens"),
        (512, "long[most=512]", "-b 'long[max_length=256,most=512]' reads up to 256 tokens"),
        (200, "org/long", "-b 'org/long[max_length=200]' reads up to 200 tokens"),
        (128, "long", "the model takes at most 128 tokens; another backbone may take more"),
        (1024, "hf:it's", "-b 'hf:it'\"'\"'s[max_length=256]' reads up to 256 tokens"),
    ],
)
def test_the_length_is_doubled_as_far_as_the_model_goes(most, name, advice):
    assert longer_texts(Found(Long(most=most), Ref(name), "plugin", "1")) == advice


def test_a_backbone_without_the_option():
    assert longer_texts(Found(Plain(), Ref("plain"), "plugin", "1")) == "it has no option for longer texts"
