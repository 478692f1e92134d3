"""Charts as SVG for pages and files, and as characters for terminals. Equal values give equal bytes."""
