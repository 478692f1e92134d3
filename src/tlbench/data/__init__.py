"""Prepares examples without a model: draws splits and folds, finds equal inputs, and checks a task's data."""
