"""The functions of `import tlbench` that run and search, and the steps that commands share with them."""
