"""Domain adaptation: labels of a source domain, unlabelled examples of the target domain that is tested."""
