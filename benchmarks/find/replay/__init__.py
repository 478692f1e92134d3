"""Replays policies on stored fits: regret against cost, beside opponents at the same cost."""
