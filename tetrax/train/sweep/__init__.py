"""Sweeps: several seeds of several settings in one program."""
