"""Tasks made of your own files: `csv:reviews.csv[text=review,label=stars]` and the like."""
