"""Policies that tlbench's own are compared with at the same cost, each from the literature or a habit of practice."""
