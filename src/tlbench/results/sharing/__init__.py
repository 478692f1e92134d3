"""Recorded scores in the forms of other programs and sites."""
