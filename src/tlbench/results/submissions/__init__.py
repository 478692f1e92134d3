"""Results that are sent to others: their files and digests, opening them safely, and how far they were checked."""
