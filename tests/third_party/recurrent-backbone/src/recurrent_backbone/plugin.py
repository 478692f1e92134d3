"""Brings the backbone; written for API 1.0, as its module says."""

from recurrent_backbone.backbone import Recurrent
from tlbench import hookimpl

tlbench_api = (1, 0)


@hookimpl
def tlbench_backbones():
    return [Recurrent()]
