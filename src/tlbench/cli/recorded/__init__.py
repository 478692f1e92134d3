"""Commands on recorded cells: one module for each."""
