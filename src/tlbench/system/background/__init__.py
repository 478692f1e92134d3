"""What runs beside the main thread."""
