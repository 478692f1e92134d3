"""What the fork server imports once for all subprocesses."""

import torch  # noqa: F401

import tlbench.training  # noqa: F401
