"""Pages of reference, made of the code: commands, suites, hooks, metrics, columns, exit statuses and the API."""
