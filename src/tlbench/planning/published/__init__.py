"""Published scores of a suite, and the planned cells that repeat their settings."""
