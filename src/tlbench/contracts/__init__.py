"""The plain values and the contracts that every other folder speaks. Free of torch, numpy and I/O."""
