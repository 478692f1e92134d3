"""The base classes and protocols that plugins implement, and the values that all folders exchange.

Nothing here imports torch or NumPy, or reads a file.
"""
