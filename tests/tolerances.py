"""Every tolerance, with the error measured and why it is as wide as it is (head-room about 30x)."""

from __future__ import annotations

import numpy as np

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def relative_l2(got, want):
    """Relative error in the L2 norm; NaN never passes a comparison with it."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    scale = np.linalg.norm(want)
    return np.linalg.norm(got - want) / (scale if scale > 0 else 1.0)


# values read from a file against those written: one rounding when stored, two when the unit is applied
# (measured 2.3e-7 and 5e-16)
READ = {F32: 1e-6, F64: 1e-14}
# Beam: largest error over the largest pixel of the image. Measured over beams of sigma 0.2 to 25 pixels and images of
# up to 140 x 140: float32 4e-7, and 7e-7 for sigma 25; float64 1e-15. The float32 bound is 3x, not 30x: a promise.
BEAM = {F32: 2e-6, F64: 3e-14}


def peak_error(got, want):
    """Largest error relative to the largest value."""
    got, want = np.asarray(got, float), np.asarray(want, float)
    scale = np.abs(want).max(initial=0.0)
    return np.abs(got - want).max(initial=0.0) / (scale if scale > 0 else 1.0)


# Smooth sums of positive terms. Measured: 2e-16 (float64); 2e-7 (float32: the SPH kernel is evaluated in float32, its
# error relative to the brightest pixel is 3e-7). Tests of project and views.
SMOOTH = {F32: 6e-6, F64: 1e-13}

# Largest probability with which one statistical check of a right result may fail (seeds are fixed).
FALSE_ALARM = 1e-7
# Normal numbers against exact Box-Muller. Worst over all words: radius 1.54e-7, direction 2.38e-7; one rounding of the
# product adds 0.6e-7. A bound, not a fit: the worst of 400,000 numbers is 2.7e-7.
NORMAL_RELATIVE = 4.6e-7

# Gradient of the projection, error over the largest component (at least a thousandth of what one pixel gives).
# Measured: 1e-12, and 7e-11 for kernels wider than 256 pixels, whose samples are taken to have a fixed sum (float64);
# 5e-7 (float32: the SPH kernel and its slope are evaluated in float32, and the sum of the slopes nearly cancels).
GRADIENT = {F32: 1.5e-5, F64: 2e-9}
# Central differences with a step of 1e-5: third derivatives of kernels of a tenth of a pixel (measured 7e-8).
FINITE_DIFFERENCE = 2e-6

# Density estimates: largest error over the largest value of a grid, 1 to 3 dimensions. Measured over correlations up
# to 0.99 and 1,000 points: float32 2e-7 to 7e-7, float64 6.6e-14 (at 0.99; 8e-15 at 0.3). Both bounds are promises.
KDE = {F32: 2e-6, F64: 1e-12}
# Fields of a mesh (float32 transforms of 32^3 to 64^3), relative to their largest value. Measured: 4e-7.
MESH = 1e-5
# Slope of a displacement at a peak against the formula, from differences over two cells of 64. Measured: 7e-4.
MESH_SLOPE = 3e-3
# Directions and idle components of the flow: deposit in float64, transforms in float32. Measured: 2e-6.
MESH_FLOW = 1e-4
# Velocities of select_lightcone against z(d) solved exactly [km/s]. Measured: 2e-9 with distances to 1e-10, the table
# itself 5e-9 for z <= 3 (Omega_m up to 1).
RECESSION = 1e-6

# Velocities [km/s] of members that are placed one by one against those of select_lightcone: z(d) solved against a
# table, 6.6e-10 in float64; and a rounding of the file's float32, 1.2e-4 at 2000 km/s, where that tips it.
PURE_VELOCITY = 2e-4
# Gradient of density estimates, error over the largest component of a cluster. Worked out in float64 for both types;
# measured 3e-12 (the covariance and its inverse enter), and for float32 the rounding of the results.
KDE_GRADIENT = {F32: 3e-6, F64: 1e-10}
# Places [Mpc] and velocities [km/s] of the file of observations against brute force. Measured 1.9e-6 and 1.2e-4: the
# roundings of float32 at 40 Mpc and 2200 km/s. The bounds are 2x and 4x, not 30x: more would be another galaxy's.
SEEN_LENGTH = 4e-6
SEEN_VELOCITY = 5e-4
# Quantiles and moments of weighted values against NumPy on the values repeated. Measured: 6e-14 (kurtosis
# about a mean that is 80 times the scatter).
STATISTICS = 2e-12
# Count bias of two Edgeworth terms against the closed form of a gamma law of skewness 0.067: the terms left out.
# Measured 7e-4; with gamma / 2 it would be 2.
EDGEWORTH = 0.02
# Dispersions against the definition, relative; locations relative to the range of the velocities. Measured: 9e-16.
DISPERSION = 3e-14
# Divergences of samples. Measured: float64 1.5e-15; float32 1.2e-7 (distances are float32, logarithms float64).
DIVERGENCE = {F32: 4e-6, F64: 5e-14}
# Estimates from 3,000 or 4,000 points against the divergence of two Gaussians: chance alone, measured up to 0.05.
GAUSSIAN_DIVERGENCE = 0.08
# p values of the Kolmogorov distance (a series and a correction) against scipy's exact ones, 20 to 2,000 values.
# Measured: 4.8e-4 at p = 0.01 and 20 values, 8e-5 at 200.
KOLMOGOROV = 1e-3
# Bin averages of the mass function: eight Gauss points over 0.4 dex against 400 trapezia. Measured: 7e-7.
BIN_AVERAGE = 2e-5
# Counting errors: Gehrels' formulas against the exact limits of Poisson. Measured: 0.8 % (none), 2e-5 (100).
GEHRELS = 0.02
# Mass function of colossus against the formula of Tinker et al. 2008 with all digits of their table. Measured: 1.2 %,
# since colossus has the three digits that are printed (another interpolation moves it by as much again).
TINKER = 0.02
# The caustic technique in batches against one cluster at a time: amplitudes and masses, relative. The same sums in
# another order; measured 8e-14.
CAUSTIC = 3e-12
# Eigenvectors of kernels of 30 to 60 clusters put together again. Measured: 3e-14.
PROJECTION = 1e-12
# Distances of interloping clusters against z(d) interpolated between 2,000 redshifts. Measured: 1.4e-7.
INTERPOLATED_FLOW = 4e-6
# Dispersions of the Jeans equation against closed kernels and adaptive quadrature, relative. Measured: 1.3e-7 (outer
# sphere at 1e5 R200c, Osipkov-Merritt), 1e-9 otherwise. The bound is a promise.
JEANS = 1e-6
# Log-likelihood per galaxy from tables against sums over the line of sight, relative to another mass. Measured 4e-4
# (linear interpolation at a step of 0.023); with velocity errors of a third of the dispersion 3e-3.
JEANS_LATTICE = 1e-3
# Projected NFW shapes against adaptive quadrature, relative. Measured: 3e-14 (at 1e-9 beside x = 1 too).
LENSING = 1e-12
# Density of tracers from f(E, L) with the f_E found for it, relative. Measured: 7e-5 (beta_inf 0.7), 1e-6 where beta0
# is beta_inf. The bound is a promise.
DF_DENSITY = 1e-3
# Its projection: surface density and dispersion against the Jeans equation, relative.
# Measured: 2.8e-3 (beta0 = 0.3, where f is infinite at L = 0), 1e-5 isotropic.
DF_PROJECTED = 5e-3
# Interpolated projected densities against integrals, relative. Measured 5.8e-3 (outside, at rest, where f peaks at
# L = 0 and the integral itself has 3e-3), below 2e-3 elsewhere.
DF_TABLE = 1e-2
# Attributions of images by float32 networks in other batches or against float64 sums, absolute, of values up to 17.
# Measured: 1.6e-5.
EXPLAIN_SUMS = 8e-5
# Integrated gradients of a small network with 256 steps: sums against differences of outputs, dex. Measured: 4.5e-5
# (4e-4 with 64).
COMPLETENESS = 2e-4
# Photons of hot gas from the table in temperature against adaptive quadrature, relative. Measured: 4e-5 at 0.5 keV.
PHOTON_TABLE = 5e-4
# Photons between the redshifts at which they are tabulated, relative, above 1 keV. Measured: 7.3e-4 (gas at 1 keV, band
# at 2.2 keV, z from 0.01 to 1.5), 3e-5 above 2 keV.
REDSHIFT_NODES = 2e-3
# Conversion factors of eROSITA from the area curve against those of ecfxa 1.0, given to three digits: what the curve
# was made from, so this is the residual of the fit. Measured: 1.5 %.
AREA_CURVE = 0.02
# Count rate and flux of a cluster made with a published gas fraction and a beta profile against published relations: a
# factor; the relations scatter by 1.3 and more. Measured: 0.80 and 1.13.
CLUSTER_RATE = 1.5
# Weights of order 1 that two processes trained (5 epochs, 55 steps of Adam) against one, absolute: other order of the
# sums of gradients. Measured: 3e-8.
SHARED_TRAINING = 2e-6
# Fields of correlated noise (float32 transforms of 16 to 120 waves a side) against waves added up in float64, over the
# rms. Measured: 1.3e-6.
DRAWN_FIELD = 2e-5
# Power spectra measured from 200 drawn fields of 96 x 96, all rings up to 0.6 cycles per pixel, over the input. Chance
# and the window together; measured 0.12 (a mask and a spectrum that falls by 1e5), 0.06 without.
MEASURED_SPECTRUM = 0.2
# Released DeepPlanck networks: float32 sums of up to 288 terms per layer, against the value that the authors print and
# against a forward pass in float64. Measured: 1.0e-6 dex and 4e-7.
DEEPPLANCK = 1e-5
