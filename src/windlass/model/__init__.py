"""What the broker knows: rules and records, no I/O."""
