"""Steps of AdamW in this process, and in two that divide gradients and moments: prints how far their weights differ.

Run by a test in a process of its own, which forks before anything has used a thread.
"""

import json
import os
import sys

import torch
from torch import distributed

from tlbench.modeling.devices.device_group import ALONE, DeviceGroup
from tlbench.training.adamw import AdamW

SHAPES = ((4, 3), (3,), (5,), (2, 2))
TYPES = (torch.float64, torch.bfloat16)


def trained(group, dtype):
    """Returns the weights after five steps, and the number of weights whose moments are here."""
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in SHAPES]
    groups = [
        {"params": weights[:2], "lr": 0.1, "weight_decay": 0.01},
        {"params": weights[2:], "lr": 0.01, "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups, 1.0, device_group=group, keeps_gradients=True)
    for step in range(5):
        parts = [[torch.randn(shape, dtype=torch.float64).to(dtype) for shape in SHAPES] for _ in range(2)]
        for number, weight in enumerate(weights):
            weight.grad = sum(part[number] for part in parts) if group.size == 1 else parts[group.rank][number]
        # As a weight that is frozen at first, on all devices.
        weights[3].grad = None if step < 2 else weights[3].grad
        group.sum_gradients(weights, torch.tensor(1.0))
        optimizer.step(0.5)
        optimizer.zero_grad()
    return [weight.detach().double() for weight in weights], len(optimizer._states)


def divided(rank, folder):
    """Trains as one of two processes and writes what came of it."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save([trained(DeviceGroup(rank, 2), dtype) for dtype in TYPES], f"{folder}/{rank}")


def main(folder):
    torch.set_num_threads(1)
    children = []
    for rank in range(2):
        if not (pid := os.fork()):
            divided(rank, folder)
            os._exit(0)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    found = []
    for number, dtype in enumerate(TYPES):
        alone, states = trained(ALONE, dtype)
        both = [torch.load(f"{folder}/{rank}", weights_only=True)[number] for rank in range(2)]
        differences = [
            max(float((mine - other).abs().max()) for mine, other in zip(one, alone, strict=True)) for one, _ in both
        ]
        found.append({"differences": differences, "states": [states, *(held for _, held in both)]})
    print(json.dumps({"statuses": statuses, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1])
