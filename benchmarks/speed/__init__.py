"""Side by side: the same work in tlbench and in what people use today, in turn, measured from outside."""
