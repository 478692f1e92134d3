"""What every command shares at the prompt: completion of names, examples in the help, and how much is printed."""
