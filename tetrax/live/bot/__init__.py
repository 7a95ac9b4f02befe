"""A policy in other people's front ends, by the Tetris Bot Protocol."""
