"""Why each check of strategies and executors matters, and how to fix what it finds."""

from __future__ import annotations

STRATEGY: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed on the command line, and name and version are part of the id of every result.",
        "Set `name` to kebab-case such as norm-only, `version` to an int, and write a docstring, which is listed.",
    ),
    "test_space": (
        "The search draws from the space, and suites fix or narrow it by name.",
        "Return a dict of identifiers to Float, Int or Choice, the same for equal arguments.",
    ),
    "test_fits": (
        "A fit that fails is a row without a score, and predictions out of order are scores of other examples.",
        "Return a predictor for every task that `supports` accepts; refuse the others there with a reason.",
    ),
    "test_same_seed_same_result": (
        "A run that was interrupted goes on, and a winner is fitted again: both must give what they gave.",
        "Draw from torch's global generator or from job.seed alone, and change no global state.",
    ),
    "test_reads_what_its_space_offers": (
        "A hyperparameter that no fit reads wastes the search, and the test split must stay sealed.",
        'Read each with job.params["name"], remove the others from `space`, and use job.train and job.held_out.',
    ),
    "test_leaves_the_encoder_as_a_fresh_load": (
        "The next fit gets the same encoder, and would inherit what this one left.",
        "Remove hooks, restore modules that were replaced, or train a `copy.deepcopy` of the encoder.",
    ),
    "test_predictor_outlives_the_next_fit": (
        "The winner predicts after later fits have used the encoder.",
        "Keep all that differs from the encoder's state inside the predictor, and nothing in the strategy or a global.",
    ),
    "test_a_saved_predictor_answers_as_before": (
        "Kept models, `tlbench predict` and `tlbench export` read what `save` wrote.",
        "Write every tensor in `save(folder)` and read it in `load(job, folder)`, or set `saves = False` in the check.",
    ),
    "test_what_was_not_saved_is_not_loaded": (
        "A damaged file that loads gives predictions of a model that never was.",
        "Write safetensors and JSON, and raise if a file or a tensor is missing.",
    ),
    "test_several_settings_at_once": (
        "Batches are for speed alone: the table must not depend on them.",
        "Train each job of `fit_batch` on its own head, params and seed.",
    ),
    "test_several_seeds_at_once": (
        "Each seed has its own training subset, which a batch must not mix up.",
        "Use each job's own `train` and `seed`, and count rows on each job's data.",
    ),
    "test_a_final_fit_needs_no_validation_split": (
        "With --final train+validation, the winner is fitted without a validation split.",
        "Ask `if job.held_out is not None` before scoring, or set `needs_validation = True`.",
    ),
    "test_pruning_ends_the_fit": (
        "A fit that goes on after it was pruned spends the budget of better settings.",
        "Let the exception of `job.report` pass: catch no bare Exception around it.",
    ),
}

EXECUTOR: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed on the command line after --executor.",
        "Set `name` to kebab-case, and write a docstring that says where fits run.",
    ),
    "test_capacity": (
        "A run submits as many orders as there are workers, and plans memory and devices by the capacity.",
        "Return a `Capacity` with at least one worker and one core, and the device cpu or cuda.",
    ),
    "test_search_result_is_complete": (
        "A record is made of what comes back, and a search must never see the test split.",
        "Return what `carry_out(order)` returned, whole: as JSON it survives any channel.",
    ),
    "test_final_fits_are_predicted_and_scored": (
        "Final fits write predictions into order.folder, from which a later order scores them.",
        "Run orders where that folder can be written and read under the same path.",
    ),
    "test_equal_orders_give_equal_scores": (
        "Results must not depend on which worker ran what before.",
        "Call `carry_out` with the order's environment set, and change nothing else in the process.",
    ),
    "test_concurrent_orders": (
        "A result that is given to another order's cell is a wrong record.",
        "Return from `wait` the handles that are done, each as the object that `submit` returned.",
    ),
    "test_strategy_faults_are_results": (
        "One faulty strategy must not end the run of the others.",
        "`carry_out` turns exceptions into results; pass `isolated=True` in a process of its own.",
    ),
    "test_dead_workers_are_lost": (
        "The run repeats an order whose worker died, and gives up after some attempts.",
        "Raise `WorkerLost` from `Handle.result` when the process ends without a result, whatever its exit status.",
    ),
    "test_cancelled_orders_end": (
        "A time limit that cannot be enforced holds up the whole run.",
        "Kill the order's process in `Handle.cancel`, and let `result` raise `WorkerLost`.",
    ),
    "test_close_ends_running_orders": (
        "After Ctrl-C no process may be left that computes.",
        "Kill every running process in `close`, and wait for its end.",
    ),
}
