"""Image data: folders of images, IDX and CIFAR files, and the tasks read from them."""
