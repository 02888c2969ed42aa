"""The Door over a cassette reader: every crossing gets its recorded outcome, in the recorded order, or replay stops."""
