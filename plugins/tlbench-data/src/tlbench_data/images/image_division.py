"""Draws the splits that image data lack: all of them, or validation from the training images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from tlbench import Classes, DataError, UsageError, draw
from tlbench.data.carving import CARVE_SEED, carve_note, carved_size, how_drawn, planned_carve
from tlbench.data.input_keys import joined
from tlbench_data.division.dividing import refuse_straddling
from tlbench_data.division.split_options import check_seed, check_shares, share_of
from tlbench_data.division.time_order import Time, in_time_order, shown_time
from tlbench_data.readers.rows import listed

SHARE = 0.1
"""Default share of validation and of test if the images are not split."""
_OUTPUT = Classes(())


@dataclass(frozen=True)
class ImageDivision:
    """The options of a task's name that say how splits are drawn."""

    seed: int
    validation: float | None
    test: float | None
    group: str = ""
    time: str = ""

    @classmethod
    def of(cls, task: str, seed: int, validation: str, test: str, group: str = "", time: str = "") -> ImageDivision:
        """Returns the options, converted from the texts in a task's name.

        Raises:
            UsageError: The seed is negative or has no effect, a share is no number between 0 and 1, or `group` and
                `time` name the same column.
        """
        check_seed(task, "split_seed", seed)
        given = [("validation", validation), ("test", test)]
        of_validation, of_test = (share_of(task, name, text, only=True) if text else None for name, text in given)
        check_shares(task, of_validation, of_test)
        if time and time == group:
            raise UsageError(f"{task}: group= and time= name the same column")
        if time and seed:
            raise UsageError(f"{task}: split_seed= has no effect with time=, which draws nothing; leave it out")
        return cls(seed, of_validation, of_test, group, time)


def refuse_straddling_images(task: str, groups: Mapping[str, Sequence[str]]) -> None:
    """Refuses groups of images that are in several given splits; raises as `refuse_straddling`."""
    named = {split: [group for group in each if group] for split, each in groups.items()}
    refuse_straddling(task, named, "group=", "leave group= out, or split the images by group")


@dataclass(frozen=True)
class Images:
    """The contents, classes and groups of the images to divide."""

    keys: Callable[[], Sequence[Hashable]]
    """Returns a key of each image's content, equal for copies; called only if images are divided."""
    labels: Sequence[Hashable]
    """The class of each image."""
    groups: Sequence[str] = ()
    """The group of each image; empty if there are none."""
    times: Sequence[Time] = ()
    """The time of each image; empty if there are none."""


def divided(
    task: str, sizes: Mapping[str, int], images: Images, options: ImageDivision, *, is_split: bool
) -> tuple[dict[str, list[int]], str]:
    """Returns the positions in `images` of each new split, and a description of how the images were divided.

    The mapping is empty if nothing is to be divided, or if the core is to carve the default validation split.

    Args:
        task: The task's name, for messages.
        sizes: Number of images in each split of the data.
        images: The training images, or all images if the data are not split.
        options: How to divide them.
        is_split: Whether the data are split already, so that only validation may be missing.

    Raises:
        DataError: The images are too few, or an option has no effect.
    """
    count = len(images.labels)
    is_given = bool(options.validation or options.test or options.group)
    how = how_drawn(_OUTPUT, options.seed, by_group=bool(options.group))
    for split, share in (("validation", options.validation), ("test", options.test)):
        if share and is_split and split in sizes:
            raise DataError(f"{task}: {split}={share:g} has no effect, since there are images of that split")
    if not is_split:
        validation, test = options.validation or SHARE, options.test or SHARE
        if validation + test >= 1:
            raise DataError(f"{task}: validation={validation:g} and test={test:g} leave no images to train on")
        shares = {"train": 1 - validation - test, "validation": validation, "test": test}
    elif "validation" in sizes:
        if idle := "split_seed" if options.seed else "time" if options.time else "":
            raise DataError(f"{task}: {idle}= has no effect, since the data have every split; leave it out")
        return {}, ""
    elif not (options.validation or options.group or options.time) and options.seed == CARVE_SEED:
        return {}, planned_carve(sizes, _OUTPUT)
    else:
        share = min(carved_size(count, options.validation), count) / count
        shares = {"train": 1 - share, "validation": share}
    if options.time:
        return _by_time(task, images, shares, options)
    parts = draw(
        joined(images.keys(), images.groups or [""] * count),
        images.labels,
        shares,
        options.seed,
        by_rows=is_given or is_split,
        classes_of=lambda row: {images.labels[row]},
    )
    if empty := [split for split, positions in parts.items() if not positions]:
        together = "images of one group and copies of an image" if options.group else "copies of an image"
        raise DataError(
            f"{task}: {count} {'image is' if count == 1 else 'images are'} too few to divide: {empty[0]} would be "
            f"empty; every class keeps an image in train, and {together} stay together"
        )
    return parts, carve_note(len(parts["validation"]), count, how) if is_split else f"drawn {how}"


def _by_time(
    task: str, images: Images, shares: Mapping[str, float], options: ImageDivision
) -> tuple[dict[str, list[int]], str]:
    try:
        parts = in_time_order(images.times, shares)
    except ValueError as error:
        raise DataError(f"{task}: time={options.time}: {error}") from None
    if options.group:
        refuse_straddling(
            task,
            {split: [images.groups[position] for position in positions] for split, positions in parts.items()},
            f"group={options.group} and time={options.time} contradict each other",
            "leave one of them out",
        )
    known = {images.labels[position] for position in parts["train"]}
    if unseen := sorted({str(label) for label in images.labels if label not in known}):
        raise DataError(
            f"{task}: time={options.time}: no training image has {listed(unseen)}, which later ones have; leave it out"
        )
    keys = images.keys()
    trained = {keys[position] for position in parts["train"]}
    repeats = sum(keys[row] in trained for split, rows in parts.items() if split != "train" for row in rows)
    ends = [f"{split} to {shown_time(max(images.times[row] for row in rows))}" for split, rows in parts.items()]
    note = f"; {repeats} later {'image is' if repeats == 1 else 'images are'} a training image too" if repeats else ""
    return parts, f"by time: {', '.join(ends)}{note}"
