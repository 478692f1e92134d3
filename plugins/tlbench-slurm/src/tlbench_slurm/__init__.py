"""Runs fits and cells of tlbench as jobs of a Slurm cluster."""
