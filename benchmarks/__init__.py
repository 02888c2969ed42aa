"""What PERFORMANCE promises, measured: `make bench`. `docs/performance.md` says what each row means."""
