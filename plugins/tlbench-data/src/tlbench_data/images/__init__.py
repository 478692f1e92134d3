"""Images: folders of them, the IDX and CIFAR files that they are published in, and the tasks read from those."""
