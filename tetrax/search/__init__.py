"""Planning: looking ahead in a game, or in a model of one, by one interface."""
