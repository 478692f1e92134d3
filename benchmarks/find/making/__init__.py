"""Makes the grid: fits every backbone, strategy and setting on real tasks, one small file a fit."""
