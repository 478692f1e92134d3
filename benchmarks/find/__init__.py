"""The benchmark of `tlbench find`: a grid of real fits, made once, on which policies are replayed in seconds."""
