"""Provides the cache on disk: files shared by processes and runs, bounded in size and verified before they are used."""
