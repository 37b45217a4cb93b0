"""Column maps of the tables of observations that were studied; docs/catalogues.md shows some of them."""

from clustermass import CatalogueColumn as Column

PSZ2 = {
    "names": "NAME", "ra": Column("RA"), "dec": Column("DEC"),  # units in the file
    "redshift": Column("REDSHIFT", missing=(-1.0,)), "m500c": Column("MSZ", missing=(0.0,)),
    "mass_above": Column("MSZ_ERR_UP"), "mass_below": Column("MSZ_ERR_LOW"), "signal_to_noise": "SNR",
    "in_cosmology_sample": "COSMO",
}  # fmt: skip
YANG = {
    "ids": "Yang", "ra": ("RA", "deg"), "dec": ("DEC", "deg"), "redshift": "z", "m200c": ("logM200", "log10 Msun"),
    "r200c": ("R200", "physical Mpc"), "richness": "N200",
}  # fmt: skip
TNG300 = {"ids": "HaloID", "m200c": ("M200c", "log10 Msun"), "r200c": ("R200c", "physical kpc")}
SPLUS_CLUSTERS = {
    "names": "id", "ra": ("ra", "deg"), "dec": ("dec", "deg"), "redshift": "z_spec", "m200c": ("M200", "1e14 Msun"),
    "r200c": ("R200", "physical Mpc"), "velocity_dispersion": ("Vdisp", "km/s"), "n_members": "Nmemb",
    "dispersion_below": ("Vdisp_lo", "km/s"), "dispersion_above": ("Vdisp_hi", "km/s"),
}  # fmt: skip
SPLUS_GALAXIES = {
    "ra": (1, "deg"), "dec": (2, "deg"), "redshift": 15, "projected_radius": (20, "physical Mpc"),
    "velocity": (21, "km/s"), "velocity_error": (18, "km/s"), "is_interloper": 22,
    "magnitude_u": Column(3, "mag", missing=(99.0,)), "cluster_redshift": 38, "clusters": 39,
}  # fmt: skip
COMA = {
    "projected_radius": ("dproj", "physical Mpc"), "velocity": ("vlos", "km/s"), "cluster_redshift": "zclus",
}  # fmt: skip
CHANCES = {
    "names": "name", "ra": ("hms", "hh:mm:ss"), "dec": ("dms", "dd:mm:ss"), "redshift": "z",
    "m200c": ("m200", "1e14 Msun"), "r200c": ("r200", "physical Mpc"), "angular_radius": ("d200", "arcmin"),
    "sources": "source",
}  # fmt: skip
MTNG = {
    "m200c": ("M200c", "1e10 Msun/h"), "r200c": ("R200c", "Mpc/h"), "temperature": ("T500c", "K"),
    "compton_y": "Y200c",
}  # fmt: skip
