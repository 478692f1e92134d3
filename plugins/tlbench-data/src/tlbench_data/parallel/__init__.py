"""Tasks made of your own aligned text files, such as train.en and train.de."""
