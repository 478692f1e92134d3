"""Tasks made of your own annotated images: COCO, Pascal VOC, YOLO, and folders of masks."""
