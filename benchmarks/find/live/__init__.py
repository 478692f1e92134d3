"""`tlbench find` beside transformers' Trainer with its hyperparameter search, on the same rows and in the same time."""
