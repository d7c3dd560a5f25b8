"""What the pipeline knows of a cluster's scheduler, Slurm."""
