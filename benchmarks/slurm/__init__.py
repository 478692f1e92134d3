"""What a fit costs as part of an array of Slurm jobs, beyond its own work."""
