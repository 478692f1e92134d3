"""Commands and texts about cells that a cluster's queue runs."""
