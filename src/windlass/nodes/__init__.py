"""Nodes: machines that run gears."""
