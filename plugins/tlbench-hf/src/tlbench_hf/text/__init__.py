"""Texts, questions and sentences of words as rows of token ids."""
