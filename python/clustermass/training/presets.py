"""Published networks by name: what goes in, the network, how it is trained. Registered as estimators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import DomainError
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

_HO2019 = TrainingSettings(max_norm=3.0)
_HO2021 = TrainingSettings(weight_decay=1e-4, decay=0.0)


@dataclass(frozen=True)
class Preset:
    """A learned estimator that can be named.

    Attributes
    ----------
    name : str
    source : str
    inputs : str
        Name of a `GridPreset`, or ``"galaxies"``.
    settings : TrainingSettings
        As published, where it was.
    network : str
        See `build_network`.
    options : dict
        Of the network.
    """

    name: str
    source: str
    inputs: str
    settings: TrainingSettings
    network: str
    options: dict[str, Any]


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("cnn-1d", "Ho et al. 2019, ApJ 887, 25 (arXiv v1)", "ho2019-1d", _HO2019, "cnn-1d", {"head": "point"}),
        Preset("cnn-2d", "Ho et al. 2019, ApJ 887, 25 (arXiv v1)", "ho2019-2d", _HO2019, "cnn-2d", {"head": "point"}),
        Preset(
            "cnn-1d-final", "Ho et al. 2019, ApJ 887, 25", "ho2019-1d", _HO2019, "cnn-1d",
            {"head": "point", "version": "final"},
        ),
        Preset(
            "cnn-2d-final", "Ho et al. 2019, ApJ 887, 25", "ho2019-2d", _HO2019, "cnn-2d",
            {"head": "point", "version": "final"},
        ),
        Preset(
            "bayesian-cnn", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
            {"head": "gaussian", "version": "final", "dropout": 0.0},
        ),
        Preset(
            "bayesian-cnn-binned", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
            {"head": "binned", "version": "final", "dropout": 0.0},
        ),
        Preset(
            "bayesian-cnn-dropout", "Ho et al. 2021, ApJ 908, 204", "ho2019-2d", _HO2021, "cnn-2d",
            {"head": "gaussian", "version": "final", "dropout": 0.1, "passes": 50},
        ),
        Preset(
            "neural-flow", "Kodi Ramanah et al. 2020, MNRAS 499, 1985", "kodi-ramanah-2020",
            TrainingSettings(epochs=50, learning_rate=5e-4, schedule="cosine", patience=10), "dense",
            {"head": "maf"},
        ),
        Preset(
            "cnn-3d", "Kodi Ramanah et al. 2021, MNRAS 501, 4080", "kodi-ramanah-2021",
            TrainingSettings(epochs=100, batch_size=100, learning_rate=5e-5, decay=0.0, patience=10, flip=False),
            "cnn-3d", {"head": "point"},
        ),
        Preset(
            "neural-posterior", "clustermass", "ho2019-2d",
            TrainingSettings(epochs=40, schedule="cosine", patience=10), "cnn-2d",
            {"head": "nsf", "version": "final", "dropout": 0.0},
        ),
        Preset(
            "set-posterior", "clustermass", "galaxies",
            TrainingSettings(epochs=60, batch_size=64, learning_rate=2e-3, schedule="cosine", patience=15,
                             weight_decay=1e-6, subsample=(0.5, 1.0)),
            "set", {"head": "nsf"},
        ),
    )
}  # fmt: skip


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises
    ------
    DomainError
    """
    if name not in PRESETS:
        raise DomainError(f"`preset` must be one of {', '.join(map(repr, PRESETS))}, got {name!r}")
    return PRESETS[name]


def build_network(network: str, options: dict[str, Any], cells: tuple[int, ...]) -> nn.Module:
    """A new network with its head.

    Parameters
    ----------
    network : {"cnn-1d", "cnn-2d", "cnn-3d", "dense", "set"}
        What it is.
    options : dict
        ``head``: "point", "gaussian", "binned", "maf" or "nsf"; of the networks of Ho et al. ``version`` and
        ``dropout``.
    cells : tuple of int
        Of a grid; of a set, the number of columns.

    Raises
    ------
    DomainError, MissingDependencyError
    """
    from torch import nn

    from ..models.networks import cnn3d, heads, ho2019, sets
    from ..models.networks.layers import dense

    rest = {key: value for key, value in options.items() if key not in ("head", "passes")}
    head = _head(options["head"], heads)
    trunk: nn.Module
    if network in ("cnn-1d", "cnn-2d"):
        trunk = (ho2019.CNN1D if network == "cnn-1d" else ho2019.CNN2D)(outputs=head.outputs, **rest)
    elif network == "cnn-3d":
        trunk = cnn3d.CNN3D(outputs=head.outputs, **rest)
    elif network == "set":
        trunk = sets.SetNetwork(columns=cells[0], outputs=head.outputs, **rest)
    elif network == "dense":
        trunk = nn.Sequential(nn.Flatten(), dense([cells[0] * cells[1], 128, 64], **rest), nn.Linear(64, head.outputs))
    else:
        raise DomainError(f"`network` must be cnn-1d, cnn-2d, cnn-3d, dense or set, got {network!r}")
    return heads.MassNetwork(trunk, head)


def _head(kind: str, heads: Any) -> Any:
    if kind in ("maf", "nsf"):
        return heads.FlowHead(kind=kind, transforms=5 if kind == "maf" else 3)
    kinds = {"point": heads.PointHead, "gaussian": heads.GaussianHead, "binned": heads.BinnedHead}
    if kind not in kinds:
        raise DomainError(f"`head` must be one of {(*kinds, 'maf', 'nsf')}, got {kind!r}")
    return kinds[kind]()


def changed(settings: TrainingSettings, changes: dict[str, Any]) -> TrainingSettings:
    """Settings with some values replaced.

    Raises
    ------
    DomainError
        If there is no setting of that name.
    """
    unknown = set(changes) - set(settings.as_dict())
    if unknown:
        raise DomainError(f"`settings` has no {sorted(unknown)}; known are {sorted(settings.as_dict())}")
    return replace(settings, **changes)
