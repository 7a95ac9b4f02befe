"""What is timed in processes of their own: tetrax and its peers, each in its own virtual environment."""
