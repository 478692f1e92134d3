"""Reviews in files of headers and bodies, as a task of tlbench."""
