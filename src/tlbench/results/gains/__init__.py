"""How much better scores are than those of strategies that know nothing."""
