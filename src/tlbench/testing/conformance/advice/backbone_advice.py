"""Why each check of backbones matters, and how to fix what it finds."""

from __future__ import annotations

BACKBONE: dict[str, tuple[str, str]] = {
    "test_name": (
        "The name is typed on the command line, and name and version are part of the id of every result.",
        "Set `name` to kebab-case such as my-encoder, `modality` to text or image, and `version` to an int.",
    ),
    "test_imports_are_modules": (
        "The modules are imported once, before workers are forked; a wrong name makes each worker import them again.",
        'Set `imports` to a tuple of importable modules, such as ("timm",), or leave it out.',
    ),
    "test_fresh_encoder_state": (
        "A worker moves the encoder and sets its precision; one that begins elsewhere gives other results.",
        "In `load`, build the module on the CPU in fp32, freeze nothing, and return it after `.eval()`.",
    ),
    "test_card_matches_the_encoder": (
        "The memory of a fit is estimated from the card before anything is loaded.",
        "Give the numbers that the loaded module has, or None for what is not known without loading.",
    ),
    "test_nothing_is_missing": (
        "A plan skips a backbone for which `missing` returns a text.",
        "Return None where the files are there, or fetch them with `tlbench fetch -b NAME` before the check.",
    ),
    "test_same_weights_at_each_load": (
        "Every fit starts from the same weights, or strategies could not be compared.",
        "Read the weights from files or draw them from a generator of your own with a fixed seed, and share no tensor.",
    ),
    "test_random_weights": (
        "Training from scratch is the floor over which the gain of pretraining is measured.",
        "With `pretrained=False`, draw from torch's global generator, or set `random_weights = False` in the check.",
    ),
    "test_every_parameter_is_in_one_stage": (
        "Freezing and learning rates by depth go by stages; a parameter in none would be trained by no strategy.",
        "List each name of `named_parameters` in exactly one `Stage`: embeddings, each block, the final norm.",
    ),
    "test_every_cut": (
        "Frozen stages are computed once and kept; training goes on from what was kept.",
        "Put everything that later stages need into `Hidden`, and apply what follows the last stage only there.",
    ),
    "test_a_cut_of_a_cut": (
        "A strategy may unfreeze one stage after another, each from what the one before left.",
        "Let `forward(hidden, start, stop)` run the stages from start to stop - 1 and nothing else.",
    ),
    "test_impossible_cuts": (
        "A wrong cut that passes silently gives features of another depth than the table says.",
        "Raise a ValueError for stages out of range, for a batch where a Hidden is needed, and the other way round.",
    ),
    "test_padding_changes_nothing": (
        "Examples are sorted by length into batches; their scores must not depend on their neighbours.",
        "Mask the padding in the attention and in `pool`.",
    ),
    "test_gradients_reach_every_stage": (
        "A stage without a gradient is not trained, though the table says so.",
        "Remove `detach` and `no_grad` from the forward pass; set `shared_weights` if blocks share parameters.",
    ),
    "test_training_mode": (
        "Fits run in training mode and predict in eval mode, one after another on the same encoder.",
        "Keep no state between calls beside parameters and buffers.",
    ),
    "test_deep_copy_is_independent": (
        "Some strategies keep a second encoder, such as a teacher.",
        "Hold the module as an ordinary attribute, so that `copy.deepcopy` copies it.",
    ),
    "test_state_can_be_saved": (
        "Trained models are kept and exported by their state.",
        "Register every tensor that the output depends on as a parameter or a buffer.",
    ),
    "test_featurize": (
        "Predictions are matched with examples by row, and tokens are kept on disk under the fingerprint.",
        "Keep the order, give every example at least one row, and hash the inputs alone: `one_row_each` does all this.",
    ),
    "test_second_text_of_a_pair": (
        "Tasks of text pairs cannot be solved from the first text.",
        "Tokenise all of `example.inputs` into the row.",
    ),
    "test_head": (
        "A task whose head cannot be trained fails after its search has begun.",
        "Make `pool` return (B, width), or refuse the output in `supports` with a reason.",
    ),
    "test_training_step_stays_on_its_device": (
        "On a GPU, a tensor that was left on the CPU raises in the middle of a fit.",
        "Create tensors with `device=x.device`, and register constants as buffers.",
    ),
    "test_word_alignment": (
        "A tag is predicted at the token at which its word begins.",
        "Give `Data.alignment` a word's index at its first token, else -1; or refuse TokenClasses in `supports`.",
    ),
    "test_words_can_be_learnt": (
        "A task of words whose head gets no gradient learns nothing.",
        "Return a hidden state for each token, (B, T, width), or refuse TokenClasses in `supports`.",
    ),
    "test_span_alignment": (
        "An answer is cut out of the context by the characters of its tokens.",
        "Give `Data.alignment` a token's characters in the context, else (-1, -1); or refuse Span in `supports`.",
    ),
    "test_spans_can_be_learnt": (
        "A task of questions whose head gets no gradient learns nothing.",
        "Return a hidden state for each token, (B, T, width), or refuse Span in `supports`.",
    ),
}
