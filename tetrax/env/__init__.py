"""The environment: the learner's face of the game."""
