"""The maps of features that heads for pixels and boxes read, and the windows that images are cut into."""
