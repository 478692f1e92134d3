"""The devices of one machine that run a fit together."""
