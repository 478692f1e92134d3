"""A rehearsal of the nightly job on a CPU: three nights, the second with a planted regression and planted noise."""
