"""Our games in other people's interfaces.

One module an ecosystem; each imports its extra when it is imported itself, and nothing here imports it.
"""
