"""Training, saving and evaluating: the only place with input and output, besides the entries."""
