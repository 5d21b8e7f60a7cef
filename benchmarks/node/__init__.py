"""The node beside what it is made of: router, gears, memory."""
