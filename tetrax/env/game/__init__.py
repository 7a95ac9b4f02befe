"""The game itself, knowing nothing of learning."""
