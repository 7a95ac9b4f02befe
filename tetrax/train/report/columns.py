"""Tables as plain text: the same in a terminal, a pipe and a file, and no cell is ever cut."""

from collections.abc import Sequence

GAP = "  "


def align(lines: Sequence[Sequence[str]], *, first: str = "right") -> str:
    """Write cells in columns, to the right; `first` says where those of the first one go."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    written = []
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        if first == "left":
            cells[0] = line[0].ljust(widths[0])
        written.append(GAP.join(cells).rstrip())
    return "\n".join(written)
