"""How well `why` and `triage` do on published runs with known outcomes: `make eval`."""
