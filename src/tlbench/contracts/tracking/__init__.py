"""What experiment trackers show."""
