"""Our name among gymnasium's; the environment itself is imported when one is made."""

ENV_ID = "tetrax/Tetris-v1"  # the number is ENV_VERSION


def register() -> None:
    """Enter the environment, single and vector; a second call changes nothing."""
    import gymnasium

    if ENV_ID not in gymnasium.registry:
        gymnasium.register(
            id=ENV_ID,
            entry_point="tetrax.adapters.gymnasium:TetrisEnv",
            vector_entry_point="tetrax.adapters.gymnasium_vector:TetrisVectorEnv",
        )
