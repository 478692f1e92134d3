"""Residual networks for 32x32 images: He et al. 2016, arXiv:1512.03385, section 4.2.

Parameter names are those of the published weights (Y. Idelbayev, "Proper ResNet Implementation for CIFAR10").
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a parameter-free shortcut (option A): strided pixels, zero-padded channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.stride = stride
        self.added = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out_channels, H/stride, W/stride) of x (B, in_channels, H, W)."""
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.added:
            x = x[:, :, :: self.stride, :: self.stride]
            x = functional.pad(x, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))
        return functional.relu(out + x)


class ResNet(nn.Module):
    """The network without its classifier, with timm's methods `forward_features` and `forward_head`."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        # Three groups of `count` blocks of two convolutions, plus the stem and the (absent) classifier.
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
        """Returns patterns, in timm's format, that group the modules into stem and blocks.

        If `coarse`, each group of residual blocks is one block.
        """
        return {"stem": r"^conv1|bn1", "blocks": r"^layer(\d+)" if coarse else r"^layer(\d+)\.(\d+)"}

    def forward_features(self, x: Tensor) -> Tensor:
        """Returns feature maps (B, 64, H/4, W/4) of images (B, 3, H, W)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:
        """Returns the mean over positions, (B, 64); `pre_logits` is ignored, since there is no classifier."""
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Returns pooled features (B, 64) of images (B, 3, H, W)."""
        return self.forward_head(self.forward_features(x))


def _group(in_channels: int, out_channels: int, count: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(in_channels, out_channels, stride),
        *(ResidualBlock(out_channels, out_channels, 1) for _ in range(count - 1)),
    )
