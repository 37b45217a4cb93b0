"""What noise means: `normals` with the same bits as the kernels, `exact_normals` what they stand for."""

from __future__ import annotations

import numpy as np

from . import philox


def random_words(n, seed, item):
    """Radius and angle words of the first n normal numbers of an item, a pair of words per pair of numbers."""
    blocks = philox.words(seed, "noise", item, 0, np.arange(-(-n // 4))).reshape(-1, 4)
    return blocks[:, :2].ravel(), blocks[:, 2:].ravel()


def exact_normals(n, seed, item):
    """Box-Muller in float64."""
    radius_word, angle_word = random_words(n, seed, item)
    radius = np.sqrt(-2 * np.log((radius_word // 2 + 0.5) / 2**31))
    # Low 30 bits: within 45 degrees of an axis. Bit 31: which axis comes first. Bit 30: the side of that axis.
    low = (angle_word % 2**30).astype(np.int64)
    angle = (np.where(low < 2**29, low, low - 2**30) + 0.5) / 2**29 * np.pi / 4
    along = np.where(angle_word // 2**30 % 2 == 1, -1, 1) * radius * np.cos(angle)
    across = radius * np.sin(angle)
    swap = angle_word >= 2**31
    return np.stack([np.where(swap, across, along), np.where(swap, along, across)], axis=-1).ravel()[:n]


def normals(n, seed, item):
    """The same in float32, operation by operation."""
    f32 = np.float32
    radius_word, angle_word = (w.astype(np.uint32) for w in random_words(n, seed, item))
    h = (radius_word >> 1).view(np.int32)
    scaled = h.astype(f32) + f32(0.5)
    exponent = (scaled.view(np.int32) - np.int32(0x3F3504F3)) >> 23
    mantissa = (scaled.view(np.int32) - (exponent << 23)).view(f32)
    near_one = ((np.int32(2**31 - 1) - h).astype(f32) + f32(0.5)) * f32(-(2.0**-31))
    f = np.where(exponent == 31, near_one, mantissa - f32(1))
    p = np.full_like(f, -0.17400802671909332)
    for c in (0.2853386402130127, -0.2982901632785797, 0.33155304193496704, -0.399262011051178,
              0.5000267028808594, -0.6666781902313232, 1.0):  # fmt: skip
        p = p * f + f32(c)
    radius = np.sqrt((p * (f * f) - (f + f)) + (31 - exponent).astype(f32) * f32(1.38629436111989061883))

    x = ((angle_word << 2) | 2).view(np.int32).astype(f32) * f32(2.0**-31)
    q = x * x
    s, c = (
        [f32(v) for v in (0.7853981852531433, -0.08074583113193512, 0.0024910164065659046, -3.660915172076784e-05)],
        [f32(v) for v in (-0.3084244132041931, 0.01585014909505844, -0.0003189770213793963)],
    )
    sine = x * (s[0] + q * (s[1] + q * (s[2] + q * s[3])))
    cosine = f32(1) + q * (c[0] + q * (c[1] + q * c[2]))
    along = radius * np.where(angle_word >> 30 & 1 == 1, -cosine, cosine)
    across = radius * sine
    swap = angle_word >= 2**31
    pairs = np.stack([np.where(swap, across, along), np.where(swap, along, across)], axis=-1)
    assert pairs.dtype == f32
    return pairs.ravel()[:n]


def add_noise(images, sigma, seed, items):
    """images: (item, channel, rows, columns); sigma per channel."""
    result = images.copy()
    for i, item in enumerate(items):
        z = normals(images[i].size, seed, item).astype(images.dtype).reshape(images[i].shape)
        for channel, s in enumerate(sigma):
            result[i, channel] += images.dtype.type(s) * z[channel]
    return result
