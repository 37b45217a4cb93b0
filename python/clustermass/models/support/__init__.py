"""Support distribution machines: clusters as samples of galaxies, compared by divergence."""
