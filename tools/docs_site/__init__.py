"""The documentation as a site: pages of docs/, the plugins' and results' own pages, and references made of the code."""
