"""The vocabulary: frozen data without I/O, clock or globals."""
