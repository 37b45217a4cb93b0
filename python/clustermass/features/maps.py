"""From a snapshot to observed maps of its clusters: plan, accumulate, convert, observe, batch after batch."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validate as check
from .. import units
from ..cosmology import PLANCK_2018, Cosmology
from ..errors import DataWarning, DomainError, MissingFieldError
from .accumulate import ParticleSource, Projection, accumulate
from .channels import CHANNELS, Channel, channel_fields, find_channels
from .observe import ORDERS, Observation, common_margin, noise_keys, observe
from .redshift_nodes import take_channel, with_nodes
from .targets import Targets
from .views import NAMED_DIRECTIONS, ViewPlan, find_directions, plan_views

#: made unless told otherwise: the four of Yan et al. 2020
DEFAULT_CHANNELS = ("stars", "xray_soft", "xray_bolometric", "compton_y")
#: made when the snapshot allows none of these
MASS_CHANNELS = ("gas_mass", "dark_matter")
ASSIGNMENTS = ("auto", "ngp", "cic", "tsc", "sph")

#: views of a batch when the particles stay in memory: what is lost when a run is killed
_MAX_BATCH = 64


@dataclass(frozen=True)
class MapSettings:
    """What maps to make; the defaults are those of Yan et al. 2020 (section 2.2, table 1).

    Parameters
    ----------
    channels : sequence of str, optional
        Names from `CHANNELS`; each must be possible. Default: those of stars, soft X-ray, bolometric X-ray and Compton
        y that the snapshot has the fields for, or if it has them for none, gas and dark-matter mass.
    pixels : int
        Rows and columns of an image.
    field : float
        Side of an image [rad].
    redshift : float or (low, high)
        Where the clusters are put: fixed, or drawn evenly for each view.
    directions : sequence of names ("x", "y", "z", "diagonal", "axes", "the300") and vectors
        Lines of sight of every cluster.
    n_random : int
        Lines of sight drawn evenly over the sphere, in addition.
    depth : float
        Half the thickness of the slab that is projected, before and behind the cluster [comoving Mpc].
    assignment : {"auto", "ngp", "cic", "tsc", "sph"}
        "auto": "sph" for gas with smoothing lengths, "cic" for everything else. Yan et al. used "ngp".
    order : {"noise-then-beam", "beam-then-noise"}
    noise : dict of str to float
        Rms per pixel in the unit of the channel, instead of the channel's own default.
    beams : dict of str to float
        Full width at half maximum [rad], instead of the channel's own default.
    seed : int
    byte_budget : int
        Memory for particles and images together, at least 8 MiB; the process needs up to 300 MB more.
    """

    channels: Sequence[str] | None = None
    pixels: int = 120
    field: float = 20.0 * units.ARCMIN_RAD
    redshift: float | tuple[float, float] = (0.03, 0.07)
    directions: Sequence[str | Sequence[float]] = tuple(NAMED_DIRECTIONS)
    n_random: int = 0
    depth: float = 50.0
    assignment: str = "auto"
    order: str = "noise-then-beam"
    noise: Mapping[str, float] = dataclasses.field(default_factory=dict)
    beams: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 0
    byte_budget: int = 2**30

    def __post_init__(self) -> None:
        check.integer(self.pixels, "pixels", low=1, high=65_536)
        object.__setattr__(self, "field", check.number(self.field, "field", above=0, high=0.5, unit="rad"))
        object.__setattr__(self, "depth", check.number(self.depth, "depth", above=0, unit="Mpc"))
        check.choice(self.assignment, "assignment", ASSIGNMENTS)
        check.choice(self.order, "order", ORDERS)
        check.integer(self.byte_budget, "byte_budget", low=2**23)
        check.seed(self.seed)
        for name, table in (("noise", self.noise), ("beams", self.beams)):
            for channel in table:
                check.choice(channel, f"{name} channel", tuple(CHANNELS))

    @property
    def pixel_angle(self) -> float:
        """Side of a pixel [rad]."""
        return self.field / self.pixels

    def ideal(self) -> MapSettings:
        """The same maps without noise and beams, as observation models take them."""
        nothing = dict.fromkeys(CHANNELS, 0.0)
        return dataclasses.replace(self, noise=nothing, beams=nothing)

    def record(self) -> dict[str, Any]:
        """The settings as JSON can hold them."""
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class MapJob:
    """Maps that are planned: everything is decided and checked, no particle is read yet.

    `images(batch)` makes one batch; batches do not depend on one another.
    """

    settings: MapSettings
    targets: Targets
    views: ViewPlan
    channels: tuple[Channel, ...]
    observations: tuple[Observation, ...]
    projection: Projection
    source: ParticleSource
    cosmology: Cosmology  #: of the distances
    notes: tuple[str, ...]  #: assumptions made, by the reader too, for the provenance

    @property
    def margin(self) -> int:
        """Pixels of sky computed around the field for the beams."""
        return common_margin(self.observations)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the images: (view, channel, row, column)."""
        return len(self.views), len(self.channels), self.settings.pixels, self.settings.pixels

    @property
    def bytes_per_view(self) -> int:
        """Memory for one view of a batch: sums of all channels, work space of one, finished images."""
        padded, pixels = self.projection.shape[0] ** 2, self.settings.pixels**2
        all_levels = sum(side**2 for side in self.projection.sides)
        return 8 * all_levels * len(self.source.channels) + 24 * padded + 4 * pixels * len(self.channels)

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        """One entry per view: the number of the cluster, and the labels of the targets."""
        return {"cluster_id": self.views.cluster_id} | {k: v[self.views.target] for k, v in self.targets.labels.items()}

    @property
    def batches(self) -> list[tuple[int, int]]:
        """First and last + 1 view of each batch; a batch is what is made, and resumed, at a time."""
        size = max(1, self.settings.byte_budget // 2 // self.bytes_per_view)
        if self.source.fits:
            size = min(size, _MAX_BATCH)
        return [(first, min(first + size, len(self.views))) for first in range(0, len(self.views), size)]

    def images(
        self, batch: tuple[int, int], *, n_threads: int = 1, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Make the maps of one batch.

        Returns
        -------
        ndarray of float32, shape (view, channel, row, column)
            In the units of the channels.

        Notes
        -----
        Determinism: the same bits for any `n_threads`. Cost: one projection of every particle near the line of sight
        per view, and one reading of the snapshot when the particles do not fit the byte budget.
        """
        views = self.views.part(*batch)
        sums = accumulate(self.source, views, self.projection, n_threads=n_threads, progress=progress)
        out = np.empty((len(views), *self.shape[1:]), np.float32)
        n_photon = sum(channel.quantity == "photons" for channel in self.channels)
        for i, (channel, observation) in enumerate(zip(self.channels, self.observations, strict=True)):
            factor = channel.pixel_factor(
                angular_diameter_distance=views.angular_diameter_distance,
                luminosity_distance=views.luminosity_distance,
                pixel_angle=self.settings.pixel_angle,
            )
            out[:, i] = observe(
                take_channel(sums, channel, views.redshift, self.settings.redshift, n_photon) * factor[:, None, None],
                observation,
                margin=self.margin,
                items=noise_keys(views.cluster_id, views.number, tuple(CHANNELS).index(channel.name)),
                order=self.settings.order,
                seed=self.settings.seed,
                n_threads=n_threads,
            )
        return out


def plan_maps(snapshot: Any, targets: Targets, settings: MapSettings | None = None, *, n_threads: int = 1) -> MapJob:
    """Decide everything about a set of maps, and check it, before any particle is read.

    Parameters
    ----------
    snapshot : Snapshot
        From `open_snapshot`.
    targets : Targets
        From `targets_from_groups`, or made by hand.
    settings : MapSettings, optional
        What maps; those of Yan et al. 2020 by default.
    n_threads : int
        For building the particle index.

    Raises
    ------
    MissingFieldError
        If a channel asked for by name, or every channel, lacks a field.
    DomainError
        If the field of view does not fit into the box.
    """
    settings = settings or MapSettings()
    n_threads = check.threads(n_threads)
    notes = list(getattr(snapshot, "assumptions", ()))
    channels = _choose_channels(snapshot, settings.channels, notes)
    cosmology = _cosmology_of(snapshot.header, notes)
    views = plan_views(
        targets.centres,
        targets.ids,
        pixel_angle=settings.pixel_angle,
        scale_factor=snapshot.header.scale_factor,
        cosmology=cosmology,
        directions=find_directions(settings.directions),
        n_random=settings.n_random,
        redshift=settings.redshift,
        seed=settings.seed,
    )
    observations = tuple(
        Observation(
            noise=settings.noise.get(c.name, c.noise_rms),
            beam_fwhm=settings.beams.get(c.name, c.beam_fwhm) / settings.pixel_angle,
        )
        for c in channels
    )
    side = settings.pixels + 2 * common_margin(observations)
    depth = _limit_to_box(settings.depth, snapshot.header.periodic_box, float(views.pixel_size.max()) * side, notes)
    assignment = _choose_assignment(snapshot, channels, settings.assignment, notes)
    projection = Projection((side, side), depth, assignment)
    furthest = cosmology.angular_diameter_distance(np.max(settings.redshift))
    source = ParticleSource(
        snapshot,
        with_nodes(channels, settings.redshift),
        assignment,
        byte_budget=settings.byte_budget // 2,
        widest_pixel=settings.pixel_angle * float(furthest) / snapshot.header.scale_factor,
        n_levels=len(projection.sides),
        n_threads=n_threads,
    )
    return MapJob(
        settings=settings,
        targets=targets,
        views=views,
        channels=channels,
        observations=observations,
        projection=projection,
        source=source,
        cosmology=cosmology,
        notes=tuple(notes),
    )


def _note(notes: list[str], text: str) -> None:
    notes.append(text)
    warnings.warn(text, DataWarning, stacklevel=4)


def _choose_channels(snapshot: Any, names: Sequence[str] | None, notes: list[str]) -> tuple[Channel, ...]:
    """The channels asked for; else those of the default ones that can be made, and if there are none, masses."""
    if names is not None:
        wanted = find_channels(names)
        if not wanted:
            raise DomainError("`channels` must name at least one channel, got none")
        for channel in wanted:
            if problem := _missing_for(snapshot, channel):
                raise MissingFieldError(problem)
        return wanted
    problems = {channel: _missing_for(snapshot, channel) for channel in find_channels(DEFAULT_CHANNELS)}
    found = [channel for channel, problem in problems.items() if problem is None]
    if not found:
        found = [channel for channel in find_channels(MASS_CHANNELS) if _missing_for(snapshot, channel) is None]
    if not found:
        raise MissingFieldError("no map can be made: " + "; ".join(filter(None, problems.values())))
    for channel, problem in problems.items():
        if problem is not None:
            _note(notes, f"left out {channel.name}: {problem}")
    return tuple(found)


def _missing_for(snapshot: Any, channel: Channel) -> str | None:
    """Why a channel cannot be made, or None."""
    if snapshot.count(channel.particle_type) == 0:
        return f"channel {channel.name!r} needs {channel.particle_type} particles, which the snapshot lacks"
    try:
        channel_fields([channel], snapshot.fields(channel.particle_type))
    except MissingFieldError as exc:
        return str(exc)
    return None


def _cosmology_of(header: Any, notes: list[str]) -> Cosmology:
    """The cosmology of the snapshot, for the distances; Planck 2018 where it has none."""
    if header.is_cosmological and header.omega_m > 0 and header.h > 0:
        return Cosmology(header.h, header.omega_m, header.omega_lambda)
    planck = f"h {PLANCK_2018.h}, Omega_m {PLANCK_2018.omega_m}"
    _note(notes, f"the snapshot is of no expanding universe: distances are those of Planck 2018 ({planck})")
    return PLANCK_2018


def _limit_to_box(depth: float, box_size: float | None, width: float, notes: list[str]) -> float:
    """The depth, at most half a periodic box so that no particle is seen twice."""
    if not box_size:
        return depth
    if width > box_size:
        raise DomainError(
            f"`field` with its margin for the beams is {width:.3g} comoving Mpc wide, the periodic box only "
            f"{box_size:.3g}: choose a smaller field, a smaller beam or a lower redshift"
        )
    if 2.0 * depth > box_size:
        _note(notes, f"`depth` is limited from {depth:g} to {box_size / 2:g} comoving Mpc, half the periodic box")
        return box_size / 2.0
    return depth


def _choose_assignment(snapshot: Any, channels: Sequence[Channel], wanted: str, notes: list[str]) -> dict[str, str]:
    """The mass-assignment scheme of each particle type."""
    chosen: dict[str, str] = {}
    for ptype in dict.fromkeys(channel.particle_type for channel in channels):
        has_length = "smoothing_length" in snapshot.fields(ptype)
        if wanted == "sph" and ptype == "gas" and not has_length:
            raise MissingFieldError("`assignment` 'sph' needs smoothing lengths of gas, which the snapshot lacks")
        smooth = ptype == "gas" and has_length
        chosen[ptype] = ("sph" if smooth else "cic") if wanted in ("auto", "sph") else wanted
        if ptype == "gas" and wanted == "auto" and not has_length:
            notes.append("gas has no smoothing lengths: its particles are assigned with cic")
    return chosen
