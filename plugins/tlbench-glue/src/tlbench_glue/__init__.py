"""GLUE-shaped tasks and suites for tlbench: generated ones today; scores on them are not GLUE scores."""
