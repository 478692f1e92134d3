"""Image files as inputs of examples, and how they are opened."""
