"""A model of a game that is learned from play: what will be seen, gained and over, and dreams of it.

DreamerV3's recurrent state-space model (Hafner et al. 2023, arXiv 2301.04104).
"""
