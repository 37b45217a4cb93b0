"""All presets of all families by name, and the networks that they name. Registered as estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import DomainError
from . import presets_erosita, presets_maps, presets_posterior, presets_published
from .preset import MakeNetwork, Preset
from .search import TRAINING, SearchSpace
from .settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

#: modules with `PRESETS` and `NETWORKS`, one a family; `SPACES`, where a search may change more than the training
FAMILIES: tuple[Any, ...] = (presets_published, presets_posterior, presets_maps, presets_erosita)
PRESETS: dict[str, Preset] = {preset.name: preset for family in FAMILIES for preset in family.PRESETS}
NETWORKS: dict[str, MakeNetwork] = {name: make for family in FAMILIES for name, make in family.NETWORKS.items()}
#: network, or name of one preset -> what a search may change
SPACES: dict[str, SearchSpace] = {k: v for family in FAMILIES for k, v in getattr(family, "SPACES", {}).items()}


def find_space(preset: Preset) -> SearchSpace:
    """What a search may change of a preset: what its family says, or the settings of training."""
    return SPACES.get(preset.name) or SPACES.get(preset.network) or SearchSpace(TRAINING)


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
    network : str
        A name in `NETWORKS`.
    options : dict
        ``head``: "point", "gaussian", "binned", "maf", "nsf" or "spline"; ``passes`` of dropout; ``networks`` that are
        averaged; the others are the network's.
    cells : tuple of int
        Of a grid or an image; of a set, numbers a galaxy and numbers a cluster.

    Raises
    ------
    DomainError, MissingDependencyError
    """
    from ..models.networks import heads, spline

    if network not in NETWORKS:
        raise DomainError(f"`network` must be one of {', '.join(map(repr, NETWORKS))}, got {network!r}")
    rest = {key: value for key, value in options.items() if key not in ("head", "passes", "networks")}
    head, n = _head(options["head"]), int(options.get("networks", 1))
    trunks = [NETWORKS[network](head.outputs, cells, rest) for _ in range(n)]
    if n == 1:
        return heads.MassNetwork(trunks[0], head)
    return heads.MassNetwork(spline.Together(trunks), spline.MixtureHead(head, n))


def _head(kind: str) -> Any:
    from ..models.networks import heads, spline

    if kind in ("maf", "nsf"):
        return heads.FlowHead(kind=kind, transforms=5 if kind == "maf" else 3)
    kinds = {"point": heads.PointHead, "gaussian": heads.GaussianHead, "binned": heads.BinnedHead,
             "spline": spline.SplineHead}  # fmt: skip
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


def with_options(preset: Preset, changes: dict[str, Any]) -> Preset:
    """A preset with some options of its network replaced; lists, as files have them, become tuples."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in changes.items()}
    return replace(preset, options=preset.options | plain)
