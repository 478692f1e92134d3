"""The processes of a fit on several devices that are not the first."""
