"""`local:` gears as sandboxed processes of this machine, under a supervisor of their own."""
