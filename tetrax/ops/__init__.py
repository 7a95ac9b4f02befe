"""Pure maths with a name in a paper."""
