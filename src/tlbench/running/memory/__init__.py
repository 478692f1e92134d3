"""What happens when memory runs out: workers that take too much are ended, and fits are tried again with less."""
