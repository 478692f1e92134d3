"""Knowledge distillation: a backbone learns from another one that was adapted to the same task."""
