"""The network in torch: stage 0 embeds characters, and each GRU is one more stage."""

import torch
from torch import nn

from tlbench.modeling.data import one_row_each
from tlbench.modeling.encoder import Encoder, Hidden, Stage

LONGEST = 160


class Network(nn.Module):
    def __init__(self, width, layers):
        super().__init__()
        self.characters = nn.Embedding(128, width, padding_idx=0)
        self.layers = nn.ModuleList(nn.GRU(width, width, batch_first=True) for _ in range(layers))


class RecurrentEncoder(Encoder):
    def __init__(self, native, width, identity):
        super().__init__()
        self.native, self.width, self.identity, self.readout = native, width, identity, "last"

    @property
    def stages(self):
        prefixes = ["characters.", *(f"layers.{i}." for i in range(len(self.native.layers)))]
        names = [name for name, _ in self.native.named_parameters()]
        return [Stage(prefix[:-1], tuple(name for name in names if name.startswith(prefix))) for prefix in prefixes]

    def forward(self, batch, start=0, stop=None):
        count = len(self.native.layers) + 1
        stop = count if stop is None else stop
        if not (0 <= start <= count and max(start, 1) <= stop <= count) or (start > 0) != isinstance(batch, Hidden):
            raise ValueError(f"stages {start} to {stop} of {count} cannot run on a {type(batch).__name__}")
        hidden = batch if start else Hidden(self.native.characters(batch["ids"]), batch["mask"])
        x = hidden.x
        for layer in self.native.layers[max(start, 1) - 1 : stop - 1]:
            x = x + layer(x)[0]
        return Hidden(x, hidden.mask)

    def pool(self, hidden):
        last = hidden.mask.sum(1) - 1
        return hidden.x[torch.arange(len(last), device=last.device), last]


def load(width, layers, pretrained):
    with torch.random.fork_rng(devices=[], enabled=pretrained):
        if pretrained:
            torch.manual_seed(11)
        seed = torch.random.initial_seed()
        return RecurrentEncoder(Network(width, layers), width, f"gru:{width}:{layers}:{pretrained or seed}").eval()


def featurize(examples):
    texts = ["\n".join(example.inputs) for example in examples]
    rows = [[1 + ord(character) % 127 for character in text[:LONGEST]] for text in texts]
    return one_row_each(examples, rows, collate, [len(row) for row in rows], "characters")


def collate(rows):
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return {"ids": ids, "mask": ids != 0}
