"""Parts of a training recipe that strategies may add to the loop: schedules, dropout, mixup, augmentation, stopping."""
