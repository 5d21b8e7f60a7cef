"""`windlassd`: the daemon and the operator's tool; one verb a file."""
