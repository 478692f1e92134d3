"""The candidates of a search: which backbones and strategies, with which first params and number of steps."""
