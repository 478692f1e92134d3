"""One cell in the driver: a state machine that orders fits and turns their results into a record. Imports no torch."""
