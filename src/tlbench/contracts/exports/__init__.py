"""Descriptions of fitted models, from which plugins write them for other libraries."""
