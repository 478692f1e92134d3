"""The strategy that joins parts of others: their starting weights, what they train, rates, loss and averages."""
