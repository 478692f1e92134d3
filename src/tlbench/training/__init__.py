"""A library for strategies: a training loop, parameter groups, batches, and heads that are trained together.

The core never calls it: a strategy owns its fit and may use any part of this library, or none. The base classes of
strategies can be imported without torch; everything else imports it on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tlbench.training.class_weight_option import ClassWeighted as ClassWeighted
from tlbench.training.class_weight_option import has_one_class as has_one_class
from tlbench.training.gradient_strategy import PARTS as PARTS
from tlbench.training.gradient_strategy import GradientStrategy as GradientStrategy
from tlbench.training.gradient_strategy import Trains as Trains
from tlbench.training.gradient_strategy import both_hooks as both_hooks
from tlbench.training.gradient_strategy import check_recipe as check_recipe
from tlbench.training.recipe.objective import Objective as Objective

if TYPE_CHECKING:
    from tlbench.training.gradient_strategy import Training as Training
    from tlbench.training.library import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Returns an object of `tlbench.training.library`, which is imported first (PEP 562).

    Raises:
        AttributeError: There is no such object.
    """
    # Tools look for special names, such as `__wrapped__`, which must import nothing.
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not `from tlbench.training import library`, which would look for the name here again.
    return getattr(import_module("tlbench.training.library"), name)
