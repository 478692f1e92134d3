"""Image backbones pretrained on rendered fractals, and the recipe that reproduces their weights.

`python -m tlbench_timm.fractals --out <folder>` renders, trains and writes them; no natural image is involved.
"""
