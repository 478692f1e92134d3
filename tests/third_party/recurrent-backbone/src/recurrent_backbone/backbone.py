"""A stack of GRU layers over hashed characters, read out at the last character."""

from dataclasses import dataclass

from tlbench import Backbone, Card


@dataclass(frozen=True)
class Recurrent(Backbone):
    """GRU layers over characters."""

    name = "recurrent"
    modality = "text"

    width: int = 24
    layers: int = 2

    def card(self):
        return Card(family="gru", width=self.width, stages=self.layers, licence="MIT", source="generated")

    def load(self, *, pretrained=True):
        from recurrent_backbone.network import load

        return load(self.width, self.layers, pretrained)

    def supports(self, output):
        if output.reads in ("words", "context"):
            return "it reads characters, which are not aligned with words"
        return super().supports(output)

    def featurize(self, examples, output):
        from recurrent_backbone.network import featurize

        return featurize(examples)
