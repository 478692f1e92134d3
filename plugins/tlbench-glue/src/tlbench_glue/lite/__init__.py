"""Five tasks in GLUE's shapes. Their sentences are generated, not copied: scores on them are not GLUE scores."""
