"""Speed of fitting many settings and seeds in one pass: probes, and an experiment with fine-tuning."""
