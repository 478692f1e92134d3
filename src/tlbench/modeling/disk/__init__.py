"""Files that processes and runs share: what was computed once, under a size limit, checked before it is believed."""
