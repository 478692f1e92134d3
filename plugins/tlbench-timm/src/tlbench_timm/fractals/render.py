"""Renders fractals with iterated function systems, many images at a time.

A system is a few affine maps of the plane. The chaos game moves a point by a randomly chosen map again and again, and
the visited points form the image. Systems are sampled by their singular values, so that nearly all of them give a
visible image (Anderson & Farrell 2022, arXiv:2110.03091). Each class is one system, and its instances are small
perturbations of the system's maps (Kataoka et al. 2020, arXiv:2101.08515).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tlbench_timm.fractals.recipe import Recipe

_MAPS = (2, 3, 4)
"""Numbers of maps per system, used in rotation; systems with more maps would fill the whole image."""
_BURN_IN = 16
"""First steps of the chaos game, which are discarded because the point is not yet close to the attractor."""
_WALKERS = 512
"""Points that play the chaos game in parallel in one image."""
_CHUNK = 64
"""Maximum number of images rendered at once, to limit memory."""
_CANDIDATES = 3
"""Number of systems drawn at a time; the first one whose image has an accepted coverage is kept."""


def fractals(recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Returns densities (classes * instances, size, size) uint8 and labels (classes * instances,) int64."""
    generator = Generator().manual_seed(recipe.seed)
    systems = draw_systems(recipe, generator)
    images = []
    for system in systems:
        repeated = system.expand(recipe.instances, *system.shape)
        images.append(render(_perturbed(repeated, recipe.disturbance, generator), recipe, generator))
    labels = torch.arange(recipe.classes).repeat_interleave(recipe.instances)
    return torch.cat(images), labels


def draw_systems(recipe: Recipe, generator: Generator) -> list[Tensor]:
    """Returns one system per class, (maps, 2, 3); the share of pixels its image fills is within the recipe's bounds."""
    low, high = recipe.coverage
    kept: list[Tensor] = []
    while len(kept) < recipe.classes:
        maps = _MAPS[len(kept) % len(_MAPS)]
        candidates = torch.stack([_system(maps, generator) for _ in range(_CANDIDATES)])
        covered = (render(candidates, recipe, generator) > 0).float().mean((1, 2))
        good = ((covered >= low) & (covered <= high)).nonzero().flatten().tolist()
        kept += [candidates[good[0]]] if good else []
    return kept


def render(systems: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """Returns (B, size, size) uint8: how often the chaos game visits each pixel, on a logarithmic scale.

    Args:
        systems: (B, maps, 2, 3) affine maps.
        recipe: Gives the image size and the number of points.
        generator: Chooses the maps that are applied.
    """
    chunks = [_densities(chunk, recipe.size, recipe.points, generator) for chunk in systems.split(_CHUNK)]
    return torch.cat(chunks)


def _densities(systems: Tensor, size: int, points: int, generator: Generator) -> Tensor:
    count, maps = systems.shape[:2]
    flat = systems.reshape(count * maps, 6)
    # Maps are chosen in proportion to the area they cover, so that points spread evenly; a map that flattens the plane
    # still needs a chance above 0.
    areas = torch.linalg.det(systems[..., :2]).abs().clamp(min=1e-2)
    chances = areas / areas.sum(1, keepdim=True)
    # Index of each image's first map in `flat`, so that one gather serves all images.
    first = torch.arange(count).unsqueeze(1) * maps
    x = torch.zeros(count, _WALKERS)
    y = torch.zeros(count, _WALKERS)
    visited = []
    for step in range(_BURN_IN + math.ceil(points / _WALKERS)):
        chosen = torch.multinomial(chances, _WALKERS, replacement=True, generator=generator) + first
        a, b, e, c, d, f = flat[chosen].unbind(-1)
        x, y = a * x + b * y + e, c * x + d * y + f
        if step >= _BURN_IN:
            visited.append(torch.stack((x, y), -1))
    where = torch.cat(visited, 1)
    low, high = where.amin(1, keepdim=True), where.amax(1, keepdim=True)
    scale = (high - low).amax(2, keepdim=True).clamp(min=1e-6)
    # The longer side fills the image and the shorter is centred, so that shapes keep their proportions.
    centred = (where - (low + high) / 2) / scale + 0.5
    pixels = (centred * size).long().clamp(0, size - 1)
    # One bincount over all images: each image's pixels are offset to a range of their own.
    cells = pixels[..., 1] * size + pixels[..., 0] + torch.arange(count).unsqueeze(1) * size * size
    counts = torch.bincount(cells.flatten(), minlength=count * size * size).view(count, size, size).float()
    tones = counts.log1p() / counts.log1p().amax((1, 2), keepdim=True)
    return (tones * 255).to(torch.uint8)


def _system(maps: int, generator: Generator) -> Tensor:
    """Returns a random system, (maps, 2, 3), with singular values chosen so that the image is dense but not full."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    # Algorithm 1 of Anderson & Farrell: sum over maps of (larger + 2 * smaller singular value) lies in this range.
    budget = between((5 + maps) / 2, (6 + maps) / 2)
    low, high = budget - 3 * maps + 3, budget
    system = torch.empty(maps, 2, 3)
    for k in range(maps):
        if k < maps - 1:
            larger = between(max(0.0, low / 3), min(1.0, high))
            low, high = low - larger, high - larger
            smaller = between(max(0.0, low / 2), min(larger, high / 2))
            low, high = low - 2 * smaller + 3, high - 2 * smaller
        else:
            smaller = between(max(0.0, (high - 1) / 2), high / 3)
            larger = high - 2 * smaller
        signs = [1.0 if between(0, 1) < 0.5 else -1.0 for _ in range(2)]
        stretch = torch.diag(torch.tensor([larger * signs[0], smaller * signs[1]]))
        turn, back = _rotation(between(0, 2 * math.pi)), _rotation(between(0, 2 * math.pi))
        system[k, :, :2] = turn @ stretch @ back
        system[k, :, 2] = torch.tensor([between(-1, 1), between(-1, 1)])
    return system


def _rotation(angle: float) -> Tensor:
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine], [sine, cosine]])


def _perturbed(systems: Tensor, amount: float, generator: Generator) -> Tensor:
    """Returns the systems with every coefficient perturbed; maps that would no longer contract are scaled down."""
    factors = 1 + amount * (2 * torch.rand(systems.shape, generator=generator) - 1)
    changed = systems * factors
    largest = torch.linalg.matrix_norm(changed[..., :2], ord=2)
    # A largest singular value of 1 or more would let points escape to infinity.
    shrink = (0.98 / largest).clamp(max=1.0)[..., None, None]
    return torch.cat((changed[..., :2] * shrink, changed[..., 2:]), -1)


def augment(densities: Tensor, generator: Generator) -> Tensor:
    """Returns training views (B, 3, size, size) in [-1, 1]: randomly rotated, shifted, scaled and coloured.

    Each fractal gets two colours, blended by density, on a uniform or cloudy background. The strength of the
    augmentation is random too, because networks need easy images to start with. Images are not mirrored, so that
    features can tell left from right, as digits require.
    """
    count, size = densities.shape[0], densities.shape[-1]

    def uniform(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    strength = uniform()
    angle, zoom = strength * uniform(low=-math.pi / 6, high=math.pi / 6), 1 + strength * uniform(low=-0.3, high=0.6)
    cosine, sine = angle.cos() * zoom, angle.sin() * zoom
    shift = strength[:, None] * uniform(2, low=-0.25, high=0.25)
    rows = torch.stack((cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]), -1)
    grid = F.affine_grid(rows.view(count, 2, 3), [count, 1, size, size], align_corners=False)
    tones = F.grid_sample(densities.unsqueeze(1).float() / 255, grid, align_corners=False)
    strength = strength[:, None, None, None]
    cover = (tones * uniform(1, 1, 1, low=1.0, high=4.0)).clamp(max=1.0)
    ink = 1 - strength * (1 - torch.lerp(uniform(3, 1, 1), uniform(3, 1, 1), tones))
    clouds = F.interpolate(uniform(3, 4, 4), size=(size, size), mode="bilinear", align_corners=False)
    uniform_background = torch.where(uniform(1, 1, 1) < 0.3, 0.0, uniform(3, 1, 1))
    background = torch.lerp(
        uniform_background.expand_as(clouds), clouds, torch.where(uniform(1, 1, 1) < 0.5, 0.0, uniform(1, 1, 1))
    )
    return torch.lerp(strength * background, ink, cover) * 2 - 1
