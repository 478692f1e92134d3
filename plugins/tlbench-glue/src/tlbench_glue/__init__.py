"""GLUE for tlbench, and generated tasks in its shapes, whose scores are not GLUE scores."""
