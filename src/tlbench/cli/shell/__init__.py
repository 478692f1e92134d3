"""What all commands share: completion of names, examples in the help, and how much is printed."""
