"""What people see: the display, evaluations, curves, recordings."""
