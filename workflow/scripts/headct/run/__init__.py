"""What runs the steps: as jobs of Snakemake, on one machine or a cluster. No step imports any of it."""
