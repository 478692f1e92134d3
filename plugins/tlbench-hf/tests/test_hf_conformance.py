"""The bundled backbones pass the conformance checks."""

from __future__ import annotations

from tlbench_hf.plugin import tlbench_backbones

from tlbench.testing.conformance import BackboneConformance

BACKBONES = {backbone.name: backbone for backbone in tlbench_backbones()}


class TestMiniLM(BackboneConformance):
    backbone = BACKBONES["minilm-l6"]


class TestEmbeddings(BackboneConformance):
    backbone = BACKBONES["minilm-l0"]
