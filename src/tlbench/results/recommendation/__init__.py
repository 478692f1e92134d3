"""Which combination to take, from what is recorded: costs of results, limits of costs, and the cheapest of equals."""
