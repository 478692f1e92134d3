"""What differs between operating systems: locks of files and flags of opening them."""
