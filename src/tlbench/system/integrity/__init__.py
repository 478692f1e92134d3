"""Files that carry a digest of their content, so that damage to a single bit of them is found."""
