"""The figure of make_real_clusters.py: estimates against literature, a panel for each set of real clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
MARKS = "Ds^vP"  #: of networks
COMA_LITERATURE = (np.log10(0.53e15), np.log10(1.88e15))


def draw(rows, nets=()):
    """real_clusters.png: literature against estimate, one panel a data set; networks in red."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sources = list(dict.fromkeys(row[6] for row in rows))
    figure, axes = plt.subplots(2, -(-len(sources) // 2), figsize=(17, 9), layout="constrained")
    for ax, source in zip(axes.flat, sources, strict=False):
        names = list(dict.fromkeys(row[1] for row in rows if row[6] == source))
        parts = [np.array([row[2:6] for row in rows if (row[6], row[1]) == (source, n)], float) for n in names]
        ax.set(title=source)
        if max(len(part) for part in parts) == 1:
            for k, (name, part) in enumerate(zip(names, parts, strict=True)):
                colour = "C3" if name in nets else "C0"
                ax.errorbar(part[:, 0], [k], xerr=np.abs(part[:, 1:3].T - part[:, 0]), fmt="o", color=colour)
            ax.axvline(parts[0][0, 3], color="0.5", lw=1)
            ax.axvspan(*COMA_LITERATURE, color="0.9", zorder=0)
            ax.set_yticks(range(len(names)), names, fontsize=7)
            ax.set_xlabel("log10 M200c [Msun]; grey: literature, line: Sohn et al. 2017")
            continue
        for name, part in zip(names, parts, strict=True):
            mark = (
                dict(marker=MARKS[sorted(nets).index(name) % len(MARKS)], ms=4, mec="C3", mfc="none")
                if name in nets
                else dict(marker=".", ms=4, alpha=0.6)
            )
            ax.plot(part[:, 3], part[:, 0], ls="none", label=name, **mark)
        low, high = ax.get_xlim()
        ax.plot([low, high], [low, high], color="0.5", lw=1)
        ax.set(xlabel="log10 M200c [Msun], literature", ylabel="log10 M200c [Msun], estimate")
        many = len(ax.get_legend_handles_labels()[0]) > 4  # beside the panel, else they hide its points
        ax.legend(fontsize=5, **({"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if many else {"framealpha": 0.5}))
    for ax in axes.flat[len(sources) :]:
        ax.remove()
    figure.savefig(HERE / "real_clusters.png", dpi=110, metadata={"Software": None})
