"""From events to text and JSON."""
