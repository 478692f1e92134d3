"""Parts of all commands: completion of names, examples in the help, and how much is printed."""
