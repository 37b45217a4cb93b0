"""The table and the figure of networks on maps, map_networks.csv and map_networks.png, from the files of one_fold.py.

    python docs/results/map_networks.py FOLDER

`FOLDER` holds the files that `ROWS` names; those that are not there are left out.
"""

from __future__ import annotations

import csv
import json
import shlex
import sys
from pathlib import Path

import numpy as np

from clustermass.report.canvas import blank, save

HERE = Path(__file__).parent
#: Yan et al. 2020, table 2; de Andres et al. 2022, table 1 (bias, rms [%]); the eFEDS report (validation MSE [dex^2])
CENTRE = (13.25, 14.5)
ROWS = {
    "star": ("yan-stars", "stars", "true", (-0.5, 19.0)),
    "soft": ("yan-xray-soft", "soft X-ray", "true", (-0.3, 16.5)),
    "bolo": ("yan-xray-bolometric", "bolometric X-ray", "true", (0.1, 16.0)),
    "y": ("yan-compton-y", "Compton y", "true", (1.8, 17.7)),
    "multi": ("yan-multichannel", "all four", "true", (1.1, 17.7)),
    "resnet": ("map-resnet", "all four, redshift", "true", ()),
    "dp1": ("deepplanck", "Planck-like y, z to 0.1", "estimate", (-2, 21)),
    "dp2": ("deepplanck", "Planck-like y, z 0.1-0.2", "estimate", (1, 15)),
    "dp3": ("deepplanck", "Planck-like y, z 0.2-0.4", "estimate", (-1, 13)),
    "dp4": ("deepplanck", "Planck-like y, z 0.4-1", "estimate", (-2, 15)),
    "dp4h": ("deepplanck", "the same, heavy clusters", "estimate", (-2, 15)),
    "dpc1": ("deepplanck-clean", "y, z to 0.1", "estimate", (-3, 14)),
    "dpc2": ("deepplanck-clean", "y, z 0.1-0.2", "estimate", (-1, 12)),
    "dpc3": ("deepplanck-clean", "y, z 0.2-0.4", "estimate", (-1, 8)),
    "dpc4": ("deepplanck-clean", "y, z 0.4-1", "estimate", (-2, 8)),
    "ero_naive": ("erosita-naive", "photons", "dex", (0.1471,)),
    "ero_cnn": ("erosita-cnn", "photons, redshift", "dex", (0.0533,)),
    "ero_out": ("erosita-outliers", "photons, redshift", "dex", ()),
    "ero_gauss": ("erosita-gaussian", "photons, redshift", "dex", ()),
    "krip": ("krippendorf-2024", "photons, redshift", "dex", ()),
    "jset": ("set-posterior", "galaxies", "dex", ()),
    "jmap": ("map-resnet-posterior", "all four, redshift", "dex", ()),
    "joint": ("joint-posterior", "galaxies, all four, redshift", "dex", ()),
}
HEADER = (
    "estimator", "sees", "mass", "n_train", "n_test", "mean_dex", "scatter_dex", "error_over", "n_quoted",
    "bias_percent", "rms_percent", "half_68_percent", "published_bias_percent", "published_rms_percent",
    "validation_mse_dex2", "published_mse_dex2", "half_width_dex", "inside_68", "cpu_minutes",
)  # fmt: skip


def read(path):
    """What one_fold.py wrote: its record, and columns by name."""
    with path.open() as file:
        record = json.loads(file.readline()[2:])
        names = file.readline().strip().split(",")
        values = np.loadtxt(file, delimiter=",", ndmin=2)
    return record, dict(zip(names, values.T, strict=True))


def quoted(columns, over):
    """Relative errors [%] that the source quotes, and the rows they are of."""
    true, pred = columns["log10_true"], columns["log10_pred"]
    rows = np.isfinite(pred)
    if over == "true":
        rows &= (true > CENTRE[0]) & (true < CENTRE[1])
        return 100 * (10.0 ** (pred - true) - 1)[rows], rows
    return 100 * (1 - 10.0 ** (true - pred))[rows], rows


def row_of(name, record, columns):
    """One line of the table."""
    estimator, sees, over, published = ROWS[name]
    residual = columns["log10_pred"] - columns["log10_true"]
    known = np.isfinite(residual)
    found = {
        "estimator": estimator, "sees": sees, "mass": record["mass"], "n_train": record["n_train"],
        "n_test": int(known.sum()), "mean_dex": residual[known].mean(), "scatter_dex": residual[known].std(),
        "error_over": over, "cpu_minutes": record["cpu_seconds"] / 60,
    }  # fmt: skip
    if over == "dex":
        low, high = record["range"]
        losses = record["history"]["validate"]
        if estimator in ("erosita-naive", "erosita-cnn"):  # squared errors of masses scaled to -1 ... 1
            found["validation_mse_dex2"] = min(losses) * (0.5 * (high - low)) ** 2
            found["published_mse_dex2"] = published[0]
        inside = (columns["log10_true"] >= columns["lower"]) & (columns["log10_true"] <= columns["upper"])
        found["half_width_dex"] = 0.5 * np.mean((columns["upper"] - columns["lower"])[known])
        found["inside_68"] = inside[known].mean()
    else:
        errors, rows = quoted(columns, over)
        found |= {"n_quoted": int(rows.sum()), "bias_percent": errors.mean(), "rms_percent": errors.std()}
        found["half_68_percent"] = 0.5 * np.diff(np.percentile(errors, [16, 84]))[0]
        found |= dict(zip(("published_bias_percent", "published_rms_percent"), published, strict=False))
    return [_text(found.get(key, "")) for key in HEADER]


def _text(value):
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def about(name, record):
    """The record without its losses, and the command that makes it."""
    files = [known["name"] for known in record["inputs"]]
    words = [record["estimator"], f"{name}.csv", "--maps", files[0]]
    words += ["--clusters", files[1]] if len(files) > 1 else []
    words += ["--with", json.dumps(record["with"])]
    kept = {key: value for key, value in record.items() if key not in ("history", "command")}
    return {"command": "python docs/results/one_fold.py " + shlex.join(words), **kept}


def draw(files):
    """Estimates against the truth, one panel a network."""
    columns = 5
    lines = -(-len(files) // columns)
    figure = blank((2.5 * columns, 2.5 * lines))
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for place, (name, (_, data)) in zip(axes, files.items(), strict=False):
        estimator, sees, over, _ = ROWS[name]
        true, pred = data["log10_true"], data["log10_pred"]
        low, high = min(true.min(), np.nanmin(pred)), max(true.max(), np.nanmax(pred))
        place.plot([low, high], [low, high], color="0.4", lw=0.8)
        place.scatter(true, pred, s=2, alpha=0.4, linewidths=0, rasterized=True)
        place.set_title(f"{estimator}\n{sees}", fontsize=7, loc="left")
        if over == "dex":
            text = f"{np.nanmean(pred - true):+.3f} $\\pm$ {np.nanstd(pred - true):.3f} dex"
        else:
            errors, _ = quoted(data, over)
            text = f"{errors.mean():+.1f} $\\pm$ {errors.std():.1f} %"
        place.text(0.04, 0.96, text, transform=place.transAxes, va="top", fontsize=7)
        place.tick_params(labelsize=7)
        place.spines[["top", "right"]].set_visible(False)
    for place in axes[len(files) :]:
        place.set_axis_off()
    figure.supxlabel("log10 true mass [Msun]", fontsize=8)
    figure.supylabel("log10 estimate [Msun]", fontsize=8)
    save(figure, HERE / "map_networks.png")


def main() -> None:
    """Read, print and draw."""
    folder = Path(sys.argv[1])
    files = {name: read(folder / f"{name}.csv") for name in ROWS if (folder / f"{name}.csv").exists()}
    lines = [row_of(name, *known) for name, known in files.items()]
    with (HERE / "map_networks.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *lines])
    records = {name: about(name, record) for name, (record, _) in files.items()}
    (HERE / "map_networks.json").write_text(json.dumps(records, indent=1) + "\n")
    for line in lines:
        print(", ".join(f"{k} {v}" for k, v in zip(HEADER, line, strict=True) if v))
    draw(files)


if __name__ == "__main__":
    main()
