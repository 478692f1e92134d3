"""How the process of a fit on several devices ends that can no longer reach the others. Imports no torch."""

GROUP_LOST = 71
"""The exit status of such a process (EX_OSERR)."""
