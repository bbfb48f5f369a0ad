"""Tables of figures, and medians."""

from statistics import median


def spread(values: list[float], form: str = "{:,.0f}") -> str:
    """The median, and from where to where the rounds lay."""
    if len(values) < 2:
        return form.format(*values)
    return f"{form.format(median(values))} ({form.format(min(values))}–{form.format(max(values))})"


def show(title: str, columns: list[str], rows: list[list[str]]):
    widths = [max(len(row[n]) for row in [columns, *rows]) for n in range(len(columns))]
    print(f"\n{title}\n")
    for row in [columns, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells), flush=True)
