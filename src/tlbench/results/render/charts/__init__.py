"""Charts as SVG, for pages and as files of their own. Equal values give equal bytes."""
