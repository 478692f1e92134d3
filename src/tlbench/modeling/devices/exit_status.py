"""Exit status of a process that lost contact with the others of a fit on several devices. Imports no torch."""

GROUP_LOST = 71
"""The exit status of such a process (EX_OSERR)."""
