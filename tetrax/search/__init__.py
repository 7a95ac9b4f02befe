"""Planners over the true game: they look ahead over whole placements, many positions at once."""
