"""What it gains to fit many settings and seeds in one pass: probes, and an experiment with fine-tuning."""
