"""One agent through several games, one after another, each a run that begins with what was learned before."""
