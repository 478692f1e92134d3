"""Exports a fitted model to a folder that other libraries load, and checks it there."""
