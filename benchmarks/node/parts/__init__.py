"""What the suite runs in processes of their own."""
