"""Numbers for people."""


def short_number(value: float) -> str:
    """Write a large number with three digits: 1.31M, 26.4k, 512."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Write seconds as 0:14, 12:03 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def exact(value: float) -> str:
    """Write a number in full: every digit before the point, and as many after it as tell something."""
    if value == round(value):
        return f"{value + 0.0:,.0f}"
    if abs(value) < 0.1:
        return f"{value:.3g}"
    return f"{value:,.1f}" if abs(value) >= 10_000 else f"{value:,.2f}"
