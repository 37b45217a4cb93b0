"""Train an estimator on nine of ten folds of hosts, and write what it says of the tenth: for estimators that take too
long for `clustermass train`, which trains all folds and the final network.

    python docs/results/one_fold.py yan-compton-y y.csv --maps yan.h5 --with '{"settings": {"epochs": 36}}'
    python docs/results/one_fold.py sdm-2d sdm-2d.csv --clusters clusters.hdf5 --with '{"transductive": false}'

With both `--maps` and `--clusters` only views that are in both are used, by whatever the estimator sees of them, so
that estimators on galaxies, on maps and on both meet the same clusters. Written are a line of JSON that says how the
file was made, and one row for each test observation: host_id, view, is_flat, redshift, log10 of the true mass, of the
estimate and of its 16th and 84th percentile [Msun, in the mass definition of the estimator].
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np

import clustermass as cm
from clustermass.data.provenance import hash_files
from clustermass.training.joint import join_samples


def main() -> None:
    """Parse, train, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("estimator")
    parser.add_argument("out")
    parser.add_argument("--maps", help="file of `clustermass maps` or `mock gas`")
    parser.add_argument("--clusters", help="file of `clustermass catalog`")
    parser.add_argument("--with", dest="settings", default="{}", help="arguments of the estimator (JSON)")
    parser.add_argument("--model", help="save the trained estimator here")
    parser.add_argument("--subsample", action="store_true", help="say how estimates change with fewer galaxies")
    args = parser.parse_args()
    start, cpu = time.monotonic(), time.process_time()
    given = json.loads(args.settings)
    estimator = cm.make_estimator(args.estimator, **given)
    sample, (train, test) = read_sample(args, estimator)
    if hasattr(estimator, "on_epoch"):
        estimator.on_epoch = tell
    (fitted,) = estimator.fit_folds(sample, [train])
    seen = sample.only(test)
    found = fitted.predict(seen)
    truth = getattr(seen, f"log10_{fitted.mass_definition.lower()}")
    known = getattr(sample, f"log10_{fitted.mass_definition.lower()}")[train]
    record = {
        "estimator": args.estimator, "with": given,
        "inputs": hash_files([path for path in (args.maps, args.clusters) if path]), "version": cm.__version__,
        "mass": f"log10 {fitted.mass_definition} [Msun]", "n_train": len(train), "n_test": len(test),
        "range": [float(known.min()), float(known.max())],
        "seconds": round(time.monotonic() - start), "cpu_seconds": round(time.process_time() - cpu),
        "history": history(fitted),
    }  # fmt: skip
    write(args.out, record, seen, truth, found)
    if args.model:
        cm.save_estimator(args.model, fitted, record={"calibrated": False, "calibration": None})
    tell_residuals(found.log10_mass - truth)
    if args.subsample:
        tell_subsampling(fitted, seen, found)


def read_sample(args, estimator):
    """What the estimator sees, of the rows that all files have; rows to train and to test on."""
    maps = clusters = None
    if args.maps:
        maps = cm.read_map_sample(args.maps, channels_of(estimator) or cm.read_maps(args.maps).channel_names[:1])
    if args.clusters:
        clusters = cm.read_clusters(args.clusters, "contaminated")
    if maps is None or clusters is None:
        sample = clusters if maps is None else maps
        return sample, sample.rows_of_fold(0)
    both, sees_maps = join_samples(clusters, maps), "maps" in estimator.inputs
    sample = both if sees_maps and "radii" in estimator.inputs else both.maps if sees_maps else both.clusters
    return sample, both.rows_of_fold(0)


def channels_of(estimator):
    """Those of a preset on maps."""
    return getattr(getattr(estimator, "preset", None), "channels", ())


def tell(epoch, history):
    """One line an epoch."""
    losses = [f"{values[-1][0]:.5f}" for values in (history.train, history.validate)]
    print(f"epoch {epoch}: training {losses[0]}, validation {losses[1]}, {history.seconds[-1]:.1f} s", flush=True)


def history(fitted):
    """Losses of the epochs."""
    known = getattr(fitted, "history", None)
    if known is None:
        return None
    return {"train": [v[0] for v in known.train], "validate": [v[0] for v in known.validate]}


def write(path, record, seen, truth, found):
    """Whole or not at all."""
    redshift = np.broadcast_to(seen.redshift, len(seen))
    columns = (seen.host_id, seen.view, seen.is_flat, redshift, truth, found.log10_mass, found.lower, found.upper)
    with open(f"{path}.part", "w") as file:
        file.write(f"# {json.dumps(record)}\n")
        file.write("host_id,view,is_flat,redshift,log10_true,log10_pred,lower,upper\n")
        for host, view, flat, *numbers in zip(*columns, strict=True):
            file.write(f"{host},{view},{int(flat)}," + ",".join(f"{v:.5f}" for v in numbers) + "\n")
    os.replace(f"{path}.part", path)


def tell_residuals(residual):
    """All of them, in dex."""
    known = residual[np.isfinite(residual)]
    print(f"{known.size} of {residual.size}: bias {known.mean():+.4f}, scatter {known.std():.4f} dex")


def tell_subsampling(fitted, seen, found):
    """With a fifth to two fifths of the galaxies left out."""
    from clustermass.evaluation.robustness import RobustnessPlan, subsample_robustness, summarise_subsampling

    print(summarise_subsampling(subsample_robustness(fitted, seen, found, RobustnessPlan(velocity_errors=()))))


if __name__ == "__main__":
    main()
