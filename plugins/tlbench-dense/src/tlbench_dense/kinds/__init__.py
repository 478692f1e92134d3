"""The two kinds of output of this plugin, and the texts that encode their targets and predictions."""
