"""Clustering of a frozen backbone's features, and metrics of clusterings."""
