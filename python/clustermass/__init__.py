"""Simulation snapshots and galaxy catalogues into machine-learning-ready data, and estimators of galaxy-cluster mass.

Public names load their module when first used, so that importing the package costs nothing it does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> module that holds it, sorted. Type checkers see the same names through the imports below
# (tests/meta/test_public_names.py compares the two lists).
_PUBLIC: dict[str, str] = {
    "BeamSpectrum": "features.spectra",
    "CHANNELS": "features.channels",
    "Catalogue": "data.readers.catalogues",
    "CatalogueColumn": "data.readers.catalogues",
    "CausticProfiles": "models.classical.caustic",
    "ChandraObservation": "features.observe_chandra",
    "Channel": "features.channels",
    "ClusterSample": "data.cluster_sample",
    "ClusterSet": "data.clusters_file",
    "ClusterSettings": "features.cluster_settings",
    "CorrelatedNoise": "features.correlated_noise",
    "DeepPlanck": "training.deepplanck",
    "DensityGradients": "ops.kde_gradient",
    "Estimator": "models.base",
    "GRID_PRESETS": "features.phase_space",
    "Galaxies": "data.universe",
    "GalaxyIndex": "ops.lightcone",
    "GalaxySaliency": "interpretation.galaxies",
    "GasPainter": "data.mocks.gas",
    "GridPreset": "features.phase_space",
    "GridSet": "data.grids_file",
    "Haloes": "data.universe",
    "JointDensityPosterior": "models.joint_density",
    "LightconeSelection": "ops.lightcone",
    "MapSample": "data.map_sample",
    "MapSet": "data.maps_file",
    "MapSettings": "features.maps",
    "MassPosterior": "models.posterior",
    "MassPrior": "models.prior",
    "ObservationSequence": "features.observe_models",
    "ParticleGradients": "ops.project_gradient",
    "ParticleIndex": "ops.views",
    "PhaseSpaceBatch": "features.batches",
    "PhaseSpaceBatcher": "features.batches",
    "PhotonObservation": "features.photons",
    "PlanckObservation": "features.observe_planck",
    "PowerSpectrum": "features.spectra",
    "Predictions": "evaluation.predictions",
    "ResidualSummary": "evaluation.residuals",
    "ShearProfiles": "models.classical.shear_profiles",
    "Subsamples": "ops.subsample",
    "Survey": "features.cluster_settings",
    "Targets": "features.targets",
    "Universe": "data.universe",
    "UniverseSettings": "data.mocks.universe.settings",
    "VelocityDispersions": "ops.dispersion",
    "YanObservation": "features.observe_yan",
    "add_noise": "ops.noise",
    "assign_folds": "data.splits",
    "assign_octants": "data.splits",
    "assign_splits": "data.splits",
    "axis_directions": "ops.lightcone",
    "beam_margin": "ops.beam",
    "bremsstrahlung_luminosity": "features.tracers",
    "build_galaxy_index": "ops.lightcone",
    "build_particle_index": "ops.views",
    "caustic_profiles": "models.classical.caustic",
    "channel_fields": "features.channels",
    "channel_weights": "features.channels",
    "check_calibration": "evaluation.calibration_report",
    "compare_estimators": "evaluation.compare",
    "compton_upsilon": "features.tracers",
    "convolve_beam": "ops.beam",
    "cross_validate": "evaluation.protocol",
    "differentiate_density": "ops.kde_gradient",
    "differentiate_projection": "ops.project_gradient",
    "draw_clusters": "features.preview_clusters",
    "draw_maps": "features.preview",
    "draw_subsamples": "ops.subsample",
    "edgeworth_count_bias": "evaluation.count_bias",
    "estimate_density": "ops.kde",
    "fibonacci_directions": "ops.lightcone",
    "fit_beam_spectrum": "features.spectra",
    "galaxy_saliency": "training.saliency",
    "gas_temperature": "features.tracers",
    "iter_clusters": "data.clusters_file",
    "iter_phase_space_grids": "features.phase_space",
    "knn_divergences": "ops.divergence",
    "load_estimator": "models.store",
    "log_residuals": "evaluation.residuals",
    "make_cluster_catalogue": "features.clusters",
    "make_estimator": "models.registry",
    "make_maps": "features.make",
    "make_painted_maps": "features.painted_maps",
    "make_universe": "data.mocks.universe.make",
    "measure_power_spectrum": "features.measure_spectrum",
    "open_catalogue": "data.readers.catalogues",
    "open_groups": "data.readers",
    "open_snapshot": "data.readers",
    "open_universe": "features.universe",
    "phase_space_grids": "features.phase_space",
    "project_particles": "ops.project",
    "project_views": "ops.views",
    "read_cluster_table": "features.cluster_tables",
    "read_clusters": "data.clusters_file",
    "read_estimator_record": "models.store",
    "read_fits_map": "data.fits_map",
    "read_galaxy_table": "features.galaxy_tables",
    "read_grids": "data.grids_file",
    "read_map_sample": "data.map_sample",
    "read_maps": "data.maps_file",
    "read_predictions": "evaluation.predictions",
    "read_universe": "data.universe_file",
    "save_estimator": "models.store",
    "select_flat_mass_function": "ops.subsample",
    "select_lightcone": "ops.lightcone",
    "select_smooth_mass_function": "ops.subsample",
    "shifting_gapper": "ops.dispersion",
    "summarise_residuals": "evaluation.residuals",
    "targets_from_groups": "features.targets",
    "train_model": "training.run",
    "tune_preset": "training.tune",
    "velocity_dispersions": "ops.dispersion",
    "view_rotations": "ops.views",
    "write_demo_snapshot": "data.mocks.demo",
    "write_universe": "data.universe_file",
}

# modules that are used by name after `import clustermass`
_MODULES = ("datasets",)

__all__ = ["__version__", *_MODULES, *_PUBLIC]

if TYPE_CHECKING:
    from . import datasets as datasets
    from .data.cluster_sample import ClusterSample as ClusterSample
    from .data.clusters_file import ClusterSet as ClusterSet
    from .data.clusters_file import iter_clusters as iter_clusters
    from .data.clusters_file import read_clusters as read_clusters
    from .data.fits_map import read_fits_map as read_fits_map
    from .data.grids_file import GridSet as GridSet
    from .data.grids_file import read_grids as read_grids
    from .data.map_sample import MapSample as MapSample
    from .data.map_sample import read_map_sample as read_map_sample
    from .data.maps_file import MapSet as MapSet
    from .data.maps_file import read_maps as read_maps
    from .data.mocks.demo import write_demo_snapshot as write_demo_snapshot
    from .data.mocks.gas import GasPainter as GasPainter
    from .data.mocks.universe.make import make_universe as make_universe
    from .data.mocks.universe.settings import UniverseSettings as UniverseSettings
    from .data.readers import open_groups as open_groups
    from .data.readers import open_snapshot as open_snapshot
    from .data.readers.catalogues import Catalogue as Catalogue
    from .data.readers.catalogues import CatalogueColumn as CatalogueColumn
    from .data.readers.catalogues import open_catalogue as open_catalogue
    from .data.splits import assign_folds as assign_folds
    from .data.splits import assign_octants as assign_octants
    from .data.splits import assign_splits as assign_splits
    from .data.universe import Galaxies as Galaxies
    from .data.universe import Haloes as Haloes
    from .data.universe import Universe as Universe
    from .data.universe_file import read_universe as read_universe
    from .data.universe_file import write_universe as write_universe
    from .evaluation.calibration_report import check_calibration as check_calibration
    from .evaluation.compare import compare_estimators as compare_estimators
    from .evaluation.count_bias import edgeworth_count_bias as edgeworth_count_bias
    from .evaluation.predictions import Predictions as Predictions
    from .evaluation.predictions import read_predictions as read_predictions
    from .evaluation.protocol import cross_validate as cross_validate
    from .evaluation.residuals import ResidualSummary as ResidualSummary
    from .evaluation.residuals import log_residuals as log_residuals
    from .evaluation.residuals import summarise_residuals as summarise_residuals
    from .features.batches import PhaseSpaceBatch as PhaseSpaceBatch
    from .features.batches import PhaseSpaceBatcher as PhaseSpaceBatcher
    from .features.channels import CHANNELS as CHANNELS
    from .features.channels import Channel as Channel
    from .features.channels import channel_fields as channel_fields
    from .features.channels import channel_weights as channel_weights
    from .features.cluster_settings import ClusterSettings as ClusterSettings
    from .features.cluster_settings import Survey as Survey
    from .features.cluster_tables import read_cluster_table as read_cluster_table
    from .features.clusters import make_cluster_catalogue as make_cluster_catalogue
    from .features.correlated_noise import CorrelatedNoise as CorrelatedNoise
    from .features.galaxy_tables import read_galaxy_table as read_galaxy_table
    from .features.make import make_maps as make_maps
    from .features.maps import MapSettings as MapSettings
    from .features.measure_spectrum import measure_power_spectrum as measure_power_spectrum
    from .features.observe_chandra import ChandraObservation as ChandraObservation
    from .features.observe_models import ObservationSequence as ObservationSequence
    from .features.observe_planck import PlanckObservation as PlanckObservation
    from .features.observe_yan import YanObservation as YanObservation
    from .features.painted_maps import make_painted_maps as make_painted_maps
    from .features.phase_space import GRID_PRESETS as GRID_PRESETS
    from .features.phase_space import GridPreset as GridPreset
    from .features.phase_space import iter_phase_space_grids as iter_phase_space_grids
    from .features.phase_space import phase_space_grids as phase_space_grids
    from .features.photons import PhotonObservation as PhotonObservation
    from .features.preview import draw_maps as draw_maps
    from .features.preview_clusters import draw_clusters as draw_clusters
    from .features.spectra import BeamSpectrum as BeamSpectrum
    from .features.spectra import PowerSpectrum as PowerSpectrum
    from .features.spectra import fit_beam_spectrum as fit_beam_spectrum
    from .features.targets import Targets as Targets
    from .features.targets import targets_from_groups as targets_from_groups
    from .features.tracers import bremsstrahlung_luminosity as bremsstrahlung_luminosity
    from .features.tracers import compton_upsilon as compton_upsilon
    from .features.tracers import gas_temperature as gas_temperature
    from .features.universe import open_universe as open_universe
    from .interpretation.galaxies import GalaxySaliency as GalaxySaliency
    from .models.base import Estimator as Estimator
    from .models.classical.caustic import CausticProfiles as CausticProfiles
    from .models.classical.caustic import caustic_profiles as caustic_profiles
    from .models.classical.shear_profiles import ShearProfiles as ShearProfiles
    from .models.joint_density import JointDensityPosterior as JointDensityPosterior
    from .models.posterior import MassPosterior as MassPosterior
    from .models.prior import MassPrior as MassPrior
    from .models.registry import make_estimator as make_estimator
    from .models.store import load_estimator as load_estimator
    from .models.store import read_estimator_record as read_estimator_record
    from .models.store import save_estimator as save_estimator
    from .ops.beam import beam_margin as beam_margin
    from .ops.beam import convolve_beam as convolve_beam
    from .ops.dispersion import VelocityDispersions as VelocityDispersions
    from .ops.dispersion import shifting_gapper as shifting_gapper
    from .ops.dispersion import velocity_dispersions as velocity_dispersions
    from .ops.divergence import knn_divergences as knn_divergences
    from .ops.kde import estimate_density as estimate_density
    from .ops.kde_gradient import DensityGradients as DensityGradients
    from .ops.kde_gradient import differentiate_density as differentiate_density
    from .ops.lightcone import GalaxyIndex as GalaxyIndex
    from .ops.lightcone import LightconeSelection as LightconeSelection
    from .ops.lightcone import axis_directions as axis_directions
    from .ops.lightcone import build_galaxy_index as build_galaxy_index
    from .ops.lightcone import fibonacci_directions as fibonacci_directions
    from .ops.lightcone import select_lightcone as select_lightcone
    from .ops.noise import add_noise as add_noise
    from .ops.project import project_particles as project_particles
    from .ops.project_gradient import ParticleGradients as ParticleGradients
    from .ops.project_gradient import differentiate_projection as differentiate_projection
    from .ops.subsample import Subsamples as Subsamples
    from .ops.subsample import draw_subsamples as draw_subsamples
    from .ops.subsample import select_flat_mass_function as select_flat_mass_function
    from .ops.subsample import select_smooth_mass_function as select_smooth_mass_function
    from .ops.views import ParticleIndex as ParticleIndex
    from .ops.views import build_particle_index as build_particle_index
    from .ops.views import project_views as project_views
    from .ops.views import view_rotations as view_rotations
    from .training.deepplanck import DeepPlanck as DeepPlanck
    from .training.run import train_model as train_model
    from .training.saliency import galaxy_saliency as galaxy_saliency
    from .training.tune import tune_preset as tune_preset
else:  # hidden from type checkers: for them it would make every misspelt name a valid one

    def __getattr__(name: str) -> Any:
        if name in _PUBLIC:
            return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
