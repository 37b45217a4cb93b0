"""One file per format; units and frames are converted here and nowhere else."""
