"""Models kept in a results folder: predictors of final fits, on disk."""
