"""Simulates tables of strategies whose true scores are known, to check ranks and intervals against them."""
