"""From a suite file to the cells to run and the combinations to skip. Pure: nothing is measured or loaded."""
