"""Runs that a cluster's queue carries out: shares of a plan as jobs, whose records are collected later."""
