"""What decides an estimate, pixel by pixel: gradients, Deep Dream, integrated gradients, masks.

All functions take `mass_of`, a differentiable function from images (n, channel, row, column) in the units of their
channels to log10 masses (n,), and treat each image for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..data.map_sample import CACHED_PIXELS
from ..errors import DomainError

MassOf = Callable[[torch.Tensor], torch.Tensor]
MASK_SIGMA = 5.0  #: pixels, Yan et al. 2020; they call it 1.25 arcmin, but their pixels are 10 arcsec: 0.83 arcmin
STEPS = 64  #: of the integral of integrated gradients
_ON_GPU = 128  # images in one pass


def input_gradients(mass_of: MassOf, images: torch.Tensor, *, batch: int | None = None) -> torch.Tensor:
    """Saliency: how much log10 mass changes with each pixel (Simonyan et al. 2014, arXiv:1312.6034).

    Parameters
    ----------
    mass_of : callable
        See the head of this file.
    images : Tensor
        Shape (n, channel, row, column).
    batch : int, optional
        Images in one pass; default as many as the caches of a CPU hold, 128 on a GPU.

    Returns
    -------
    (n, channel, row, column) tensor
        d log10 M / d I, in dex per unit of the channel.

    Examples
    --------
    >>> weights = torch.arange(4.0).reshape(1, 2, 2)
    >>> input_gradients(lambda x: (x * weights).sum((1, 2, 3)), torch.ones(1, 1, 2, 2)).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    _check(images)
    found = []
    for part in torch.split(images, images_at_once(images.shape, images.device, batch)):
        with torch.enable_grad():
            leaf = part.detach().clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(mass_of(leaf).sum(), leaf)
        found.append(gradient)
    return torch.cat(found) if found else torch.zeros_like(images)


def deep_dream(
    mass_of: MassOf, images: torch.Tensor, *, iterations: int = 2, step: float = 0.01, batch: int | None = None
) -> torch.Tensor:
    """Change of images that raises the mass: gradient ascent on the image (Yan et al. 2020, eq. 12).

    I(p) = I(p - 1) + alpha dM/dI. Their network gives M and this function climbs log10 M, whose gradient differs by the
    factor 1 / (M ln 10): that and the free alpha are one choice, made here for each image and channel so that the first
    step has the rms `step` times that of the channel's pixels.

    Parameters
    ----------
    mass_of, images, batch
        As for `input_gradients`.
    iterations : int
        Steps; their text says one, their figures two, with similar results.
    step : float
        Rms of the first step in rms of the image.

    Returns
    -------
    (n, channel, row, column) tensor
        I(iterations) - I(0), in units of the channels.

    Examples
    --------
    >>> change = deep_dream(lambda x: x[:, 0, 0, 0], torch.ones(1, 1, 2, 2), iterations=1, step=0.1)
    >>> [round(v, 4) for v in change.flatten().tolist()]
    [0.2, 0.0, 0.0, 0.0]
    """
    _check(images)
    if iterations < 1:
        raise DomainError(f"`iterations` must be at least 1, got {iterations}")
    if not step > 0:
        raise DomainError(f"`step` must be above 0, got {step}")
    now, alpha = images.detach().clone(), None
    for _ in range(iterations):
        gradient = input_gradients(mass_of, now, batch=batch)
        if alpha is None:
            slope, size = _rms(gradient), _rms(images)
            alpha = torch.where(slope > 0, step * size / slope.clamp_min(torch.finfo(slope.dtype).tiny), 0.0)
        now = now + alpha * gradient
    return now - images


def integrated_gradients(
    mass_of: MassOf,
    images: torch.Tensor,
    baseline: torch.Tensor | None = None,
    *,
    steps: int = STEPS,
    batch: int | None = None,
) -> torch.Tensor:
    """What each pixel adds to log10 mass on the way from a baseline (Sundararajan et al. 2017, arXiv:1703.01365).

    (I - I0) times the mean gradient on the straight line from I0 to I, by the midpoint rule. The pixels of an image add
    up to the difference of its estimate and that of the baseline (completeness), up to the error of the rule.

    Parameters
    ----------
    mass_of, images, batch
        As for `input_gradients`.
    baseline : tensor that broadcasts to `images`, optional
        An image without signal; zero when left out.
    steps : int
        Points of the rule.

    Returns
    -------
    (n, channel, row, column) tensor
        Dex.

    Examples
    --------
    >>> found = integrated_gradients(lambda x: x.sum((1, 2, 3)) ** 2, torch.full((1, 1, 1, 2), 3.0))
    >>> [round(v, 4) for v in found.flatten().tolist()]  # 6^2 - 0^2, shared alike
    [18.0, 18.0]
    """
    _check(images)
    if steps < 1:
        raise DomainError(f"`steps` must be at least 1, got {steps}")
    start = torch.zeros_like(images) if baseline is None else baseline.expand_as(images).to(images)
    path = images - start
    places = (torch.arange(steps, dtype=images.dtype, device=images.device) + 0.5) / steps
    found = torch.empty_like(images)
    for k in range(len(images)):
        on_the_way = start[k] + places[:, None, None, None] * path[k]
        found[k] = path[k] * _mean_gradient(mass_of, on_the_way, batch)
    return found


def _mean_gradient(mass_of: MassOf, images: torch.Tensor, batch: int | None) -> torch.Tensor:
    """Mean over images in float64: nothing but sums decides how well attributions add up."""
    return input_gradients(mass_of, images, batch=batch).double().mean(0).to(images.dtype)


def occlusion(
    mass_of: MassOf, images: torch.Tensor, *, sigma: float = MASK_SIGMA, batch: int | None = None
) -> torch.Tensor:
    """Change of log10 mass when a Gaussian mask hides the surroundings of each pixel in turn (Yan et al. 2020, eq. 13).

    Mask_ij = 1 - exp(-((i - a)^2 + (j - b)^2) / 2 sigma^2) for all pixels (a, b), on all channels at once. Below zero
    where the hidden pixels speak for a higher mass.

    Parameters
    ----------
    mass_of, images
        As for `input_gradients`.
    sigma : float
        Pixels.
    batch : int, optional
        Masked images in one pass: memory is that of `batch` images in the network. Default as for `input_gradients`.

    Returns
    -------
    (n, row, column) tensor
        log10 M(masked at this pixel) - log10 M, dex; 10 to its power less 1 is the published Delta M over M.

    Notes
    -----
    Cost: rows times columns evaluations for each image, 14,400 at 120 x 120.

    Examples
    --------
    >>> image = torch.zeros(1, 1, 1, 3)
    >>> image[..., 1] = 1.0
    >>> [round(v, 3) for v in occlusion(lambda x: x.sum((1, 2, 3)), image, sigma=1.0).flatten().tolist()]
    [-0.607, -1.0, -0.607]
    """
    _check(images)
    if not sigma > 0:
        raise DomainError(f"`sigma` must be above 0 pixels, got {sigma}")
    n, _, rows, columns = images.shape
    across = _hidden(rows, sigma, images), _hidden(columns, sigma, images)
    found = torch.empty(n, rows * columns, dtype=images.dtype, device=images.device)
    most = images_at_once(images.shape, images.device, batch)
    with torch.no_grad():
        plain = torch.cat([mass_of(part) for part in torch.split(images, most)]) if n else images.new_empty(0)
        places = torch.arange(rows * columns, device=images.device)
        for k in range(n):
            for part in torch.split(places, most):
                hidden = across[0][part // columns][:, :, None] * across[1][part % columns][:, None, :]
                found[k, part] = mass_of(images[k] * (1.0 - hidden)[:, None]) - plain[k]
    return found.reshape(n, rows, columns)


def images_at_once(shape: Sequence[int], device: torch.device | str, batch: int | None = None) -> int:
    """Images of a shape (n, channel, row, column) to put through a network together: `batch` where that is given."""
    if batch is not None:
        return batch
    return max(1, CACHED_PIXELS // (shape[2] * shape[3])) if torch.device(device).type == "cpu" else _ON_GPU


def _hidden(size: int, sigma: float, like: torch.Tensor) -> torch.Tensor:
    """exp(-(i - a)^2 / 2 sigma^2) for all a and i: the mask is a product of one for rows and one for columns."""
    place = torch.arange(size, dtype=torch.float64)
    return torch.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2).to(like)


def _rms(images: torch.Tensor) -> torch.Tensor:
    """Of each image and channel, in float64 inside, since squares of fluxes leave float32."""
    return images.double().square().mean((2, 3), keepdim=True).sqrt().to(images.dtype)


def _check(images: torch.Tensor) -> None:
    if images.ndim != 4:
        raise DomainError(f"`images` must have shape (n, channel, row, column), got {tuple(images.shape)}")
    if not bool(torch.isfinite(images).all()):
        raise DomainError("`images` must be finite, got NaN or infinity")
