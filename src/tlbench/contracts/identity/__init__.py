"""Parts of a cell's identity: normal forms and digests of values, and the amount of labelled data that fits see."""
