"""The contract of policies of `tlbench find`: the state of a search, and the fit that is proposed for it."""
