"""The machine: its memory, its processes, its signals, its cache of compiled programs."""
