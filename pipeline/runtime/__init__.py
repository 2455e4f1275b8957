"""Disk, processes and devices."""
