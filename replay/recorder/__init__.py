"""The Door over a cassette writer."""
