"""Causes put to the test: a text that may account for a call is masked, and the model is asked again."""
