"""What sub-sampling means, written to be read: lists and Python integers, no speed."""

from __future__ import annotations

from itertools import count

import numpy as np

from . import philox


def bounded_integers(words, ranges):
    """One unbiased integer below each range, throwing words away where that is needed (Lemire 2019)."""
    for size in ranges:
        while True:
            product = next(words) * size
            if product % 2**32 >= 2**32 % size:
                break
        yield product // 2**32


def draw(members, k, seed, item, draw_number):
    """k of the members: min(k, n - k) steps of a Fisher-Yates shuffle, then those taken or those left over."""
    members, n = list(members), len(members)
    steps = min(k, n - k)
    words = (int(w) for block in count() for w in philox.words(seed, "subsample", item, draw_number, [block]))
    for step, above in enumerate(bounded_integers(words, range(n, n - steps, -1))):
        other = step + above
        members[step], members[other] = members[other], members[step]
    return members[:steps] if 2 * k <= n else members[steps:]


def subsample(offsets, counts, seed, items):
    """Indices of all rows, one list per (item, draw)."""
    return [
        draw(range(offsets[i], offsets[i + 1]), int(k), seed, items[i], d)
        for i in range(len(offsets) - 1)
        for d, k in enumerate(counts[i])
    ]


def uniform(seed, items):
    """Numbers in [0, 1) with 53 bits."""
    pairs = [philox.words(seed, "uniform", item, 0, [0])[:2] for item in items]
    return np.array([(int(a) // 2**5 * 2**26 + int(b) // 2**6) / 2**53 for a, b in pairs])
