"""Residual networks for images of 32x32, as in section 4.2 of He et al. 2016 (arXiv:1512.03385).

Names of parameters are those of the published weights (Y. Idelbayev, "Proper ResNet Implementation for CIFAR10").
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut without parameters: every second pixel, and zeros for new channels."""

    def __init__(self, taken: int, given: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(taken, given, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(given)
        self.conv2 = nn.Conv2d(given, given, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(given)
        self.stride = stride
        self.added = given - taken

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, given, H/stride, W/stride)."""
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.added:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        return functional.relu(out + x)


class ResNet(nn.Module):
    """The network without its classifier, with timm's two methods."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        count = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _group(WIDTHS[0], WIDTHS[0], count, stride=1)
        self.layer2 = _group(WIDTHS[0], WIDTHS[1], count, stride=2)
        self.layer3 = _group(WIDTHS[1], WIDTHS[2], count, stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Returns timm's description of where the blocks are."""
        return {"stem": r"^conv1|bn1", "blocks": r"^layer(\d+)" if coarse else r"^layer(\d+)\.(\d+)"}

    def forward_features(self, x: Tensor) -> Tensor:
        """Returns (B, 64, H/4, W/4)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:
        """Returns (B, 64): the mean over positions, which is all that stands before the classifier."""
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, 64)."""
        return self.forward_head(self.forward_features(x))


def _group(taken: int, given: int, count: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(taken, given, stride), *(ResidualBlock(given, given, 1) for _ in range(count - 1))
    )
