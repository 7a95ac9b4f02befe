"""Every place where a piece can come to rest."""
