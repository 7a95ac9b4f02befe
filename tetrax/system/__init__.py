"""What every room may need of the machine: files written whole, programs compiled once."""
