"""Games that people play, alone, with an agent's help or beside one."""
