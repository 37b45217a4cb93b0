"""The ops as torch operators: registered once, differentiable where they can be, whole in compiled graphs.

Imported only when a public op meets a tensor. Each function here has the name and the arguments of the public one.
"""

from __future__ import annotations

from .beam import beam_adjoint, convolve_beam
from .kde import differentiate_density, estimate_density
from .lightcone import build_galaxy_index, select_lightcone
from .noise import add_noise
from .project import differentiate_projection, project_particles
from .subsample import draw_subsamples
from .views import build_particle_index, project_views

__all__ = [
    "add_noise",
    "beam_adjoint",
    "build_galaxy_index",
    "build_particle_index",
    "convolve_beam",
    "differentiate_density",
    "differentiate_projection",
    "draw_subsamples",
    "estimate_density",
    "project_particles",
    "project_views",
    "select_lightcone",
]
