"""What models are made of, and the scripts of exported models: files that import no tlbench, which exports copy."""
