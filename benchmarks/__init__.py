"""Programs that measure tetrax, the results they left, and the tables and charts drawn from these."""
