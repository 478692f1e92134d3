"""Pictures of test examples that results keep."""
