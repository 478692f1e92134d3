"""What a strategy is given for a fit, and what a fit returns."""
