"""Other games behind the contract of tetrax.env."""
