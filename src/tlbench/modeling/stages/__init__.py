"""Provides `StagedEncoder`: any library's model as an ordered list of stages, without changing its code."""
