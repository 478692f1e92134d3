"""Why each check of tasks, metrics, kinds of output and suites matters, and how to fix what it finds."""

from __future__ import annotations

TASK: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed on the command line, and name and version are part of the id of every result.",
        "Set `name` to kebab-case such as my-reviews, `modality` to text or image, and `version` to an int.",
    ),
    "test_sizes": (
        "Without train there is nothing to learn from, and without test no score.",
        'Return examples from split("train") and split("test"); `sizes` in the check are the numbers you expect.',
    ),
    "test_an_unlabeled_split_is_declared": (
        "A plan asks the attribute, without reading data, which strategies can run.",
        'Set `unlabeled_like` to "train" or "test" if there is a split `unlabeled`, else leave it at "none".',
    ),
    "test_ids_are_unique": (
        "Predictions are stored and compared by id.",
        "Number the examples, with the split in the id, as in train-17.",
    ),
    "test_inputs": (
        "Backbones tokenise by the form of the inputs.",
        "Give every example one text, or two, or one tuple of words, or one image, and set `pairs` for two texts.",
    ),
    "test_targets_fit_the_output": (
        "A target in another encoding is learnt as another class, without an error.",
        "Use the index of the class for Classes, a float for Scalar; None for every example of `unlabeled`.",
    ),
    "test_targets_vary": (
        "A class that train lacks cannot be learnt, and a split of one class scores nothing.",
        "Check the encoding of the labels, shuffle before you split, or remove the class.",
    ),
    "test_no_overlap": (
        "A test example that was trained on makes every score too high.",
        "Drop repeated inputs before splitting; `tlbench check TASK` lists them.",
    ),
    "test_no_group_in_two_splits": (
        "Examples of one patient or document are alike: in two splits they leak.",
        "Split by group, or leave `Example.group` empty where examples are independent.",
    ),
    "test_splits_are_deterministic": (
        "Every worker reads the split again, and must see the same examples in the same order.",
        "Use a generator with a fixed seed inside `split`, sort what a folder lists, and keep no iterator.",
    ),
    "test_metrics_fit_the_output": (
        "The first metric ranks, and one that does not exist ends the plan.",
        "Name metrics of `tlbench list metrics` that score this output, and set `positive` to the index of a class.",
    ),
    "test_slices": (
        "Scores are broken down by slices; an example without one is missing from the breakdown.",
        "Give each example a non-empty text for exactly the columns in `Task.slices`.",
    ),
}

METRIC: dict[str, tuple[str, str]] = {
    "test_declared_attributes": (
        "Tables use the label, ranks the direction, and means over tasks the range.",
        "Set name (snake_case), label, citation, lowest, highest and worst; `in_points = False` if 1 is not the best.",
    ),
    "test_values_are_finite_and_in_range": (
        "A NaN in one resample makes the interval of the score NaN.",
        "Return NaN only where the value is undefined and `worst` is set, and correct `lowest` and `highest`.",
    ),
    "test_weights_equal_repeated_examples": (
        "Intervals and tests draw weights instead of copies of examples.",
        "Compute `value` from sums of `statistics` alone, or use the weights in `resampler`.",
    ),
    "test_many_examples_are_summed_as_few_are": (
        "Sums in float16 or uint8 overflow without an error on large test splits.",
        "Return statistics in float64 or int64.",
    ),
    "test_examples_that_are_alike_are_interchangeable": (
        "For speed, class metrics are resampled by pairs of target and prediction.",
        "Set `reads_scores = True` if the metric reads probabilities or anything else of an example.",
    ),
    "test_the_order_of_examples_does_not_matter": (
        "Two runs may store their predictions in different orders.",
        "Use no neighbouring example in `statistics`.",
    ),
    "test_better_answers_score_better": (
        "A wrong direction ranks the worst row first.",
        "Correct `greater_is_better`; set `rewards_right_answers = False` in the check for a metric of calibration.",
    ),
    "test_inputs_are_not_modified": (
        "Every metric of a task is given the same arrays.",
        "Copy an array before you change it.",
    ),
}

OUTPUT: dict[str, tuple[str, str]] = {
    "test_declared_attributes": (
        "Tasks are filtered by the kind, and metrics read predictions by their form.",
        "Set `kind` to a name in kebab-case, and `answers` to numbers, labels, tags or texts.",
    ),
    "test_targets_fit": (
        "A target that does not fit is reported before a fit instead of failing within it.",
        "Return None from `target_error` for valid targets and a text for others; set `examples` in the check.",
    ),
    "test_strata_and_equal_inputs": (
        "Splits are drawn by strata, and equal inputs are kept together.",
        "Return one hashable stratum for each target, and from `undivided_inputs` the inputs that make examples equal.",
    ),
    "test_right_answers_score_best": (
        "A metric that doesn't reward the right answer measures something else.",
        "Compare the form of targets with that of predictions; `right` in the check may be overridden.",
    ),
    "test_wrong_answers_score_worse": (
        "A metric that cannot see mistakes gives everybody the best score.",
        "Compare the form of targets with that of predictions; `wrong` in the check may be overridden.",
    ),
    "test_arrays_separate_targets_and_predictions": (
        "Targets that depend on predictions would differ between two models.",
        "Compute the array of targets from targets alone.",
    ),
    "test_arrays_depend_on_their_own_example": (
        "Resamples and paired tests take examples out of their split.",
        "Compute the row of an example from this example alone.",
    ),
    "test_predictions_must_match_the_targets": (
        "A predictor that returns too many rows must be named, and not the task.",
        "Let `scored_of` compare the lengths: leave its check in place.",
    ),
    "test_predictions_survive_storage": (
        "Tests between results read the stored predictions, perhaps years later.",
        "Use numbers, texts, or tuples of texts.",
    ),
    "test_class_report": (
        "The report of a cell shows scores by class.",
        "Return the names of the classes in index order from `classes`.",
    ),
    "test_default_head": (
        "Without a head, no backbone can solve tasks of this kind.",
        "Return a head with a finite loss from `Output.head`, or raise a PluginError that says what is missing.",
    ),
}

SUITE: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name of the file is typed after --suite.",
        "Call the file NAME.toml, in kebab-case.",
    ),
    "test_file_is_read": (
        "A suite with a mistake is found by the first user who runs it.",
        'Correct the key that the message names, and add description = "what the suite compares".',
    ),
    "test_names_exist": (
        "A name that no installed plugin has ends the plan.",
        "Correct the name, or add the plugin that brings it to the requirements in pyproject.toml.",
    ),
    "test_plan_has_cells": (
        "A suite without cells compares nothing.",
        "Read the reasons with `tlbench plan --suite NAME`, and fetch what is missing.",
    ),
}
