"""Featurization of texts, tokenised sentences and questions with contexts as rows of token ids."""
