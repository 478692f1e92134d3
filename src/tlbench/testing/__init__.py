"""What plugin authors test with: toys, conformance checks, a job without a runner, and a pytest plugin."""
