"""What a fitted model is described by so that it can be written for other libraries."""
