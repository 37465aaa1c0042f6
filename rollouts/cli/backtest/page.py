"""A replay as one HTML file: a chart for each metric in SVG, no scripts, nothing loaded from elsewhere. Pure.

Every measurement is a dot in the colour of its phase; pointing at one shows its time, value, message and
what its judge or provider noted, such as the verdict of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from analysis.spec import Measurement
from rollouts.cli.backtest.outcomes import Outcome, counted
from rollouts.cli.backtest.replay import Track

WIDTH, HEIGHT, MARGIN = 960, 200, 48
COLOURS = {"Successful": "#2f8f4e", "Failed": "#c62f2f", "Error": "#b7791f", "Inconclusive": "#7a7f87"}
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 1040px; margin: 2rem auto; padding: 0 1rem }
svg { width: 100%; height: auto } svg text { fill: currentColor; font-size: 12px; opacity: .7 }
line, polyline { stroke: currentColor; opacity: .3; fill: none }
table { border-collapse: collapse } td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top }
"""


def page(name: str, tracks: Sequence[Track], found: Sequence[Outcome]) -> str:
    """The document."""
    body = "\n".join([f"<h1>{escape(name)}</h1>", _legend(), *map(_section, tracks), _outcomes(found)])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>"
    )


def _legend() -> str:
    return (
        "<p>" + " ".join(f'<span style="color:{colour}">● {phase}</span>' for phase, colour in COLOURS.items()) + "</p>"
    )


def _section(track: Track) -> str:
    phases = [str(item.phase) for item in track.measurements]
    counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in COLOURS if phase in phases)
    title = f"<h2>{escape(track.metric)}</h2><p>every {track.interval:g} s: {counts}</p>"
    return f'{title}\n<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(_drawn(track))}</svg>'


def _drawn(track: Track) -> Iterator[str]:
    known = [value for value in track.numbers if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    bottom, right = HEIGHT - MARGIN / 2, WIDTH - 8
    yield f'<line x1="{MARGIN}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
    for label, height in ((high, 16.0), (low, bottom)):
        yield f'<text x="{MARGIN - 6}" y="{height:g}" text-anchor="end">{label:.4g}</text>'
    places = [_x(at, len(track.measurements)) for at in range(len(track.measurements))]
    heights = [None if value is None else _y(value, low, high) for value in track.numbers]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True) if y is not None)
    yield f'<polyline points="{line}"/>'
    for item, x, y in zip(track.measurements, places, heights, strict=True):
        yield _point(item, x, bottom if y is None else y)
    yield from _ends(track)


def _x(at: int, total: int) -> float:
    return MARGIN + (WIDTH - MARGIN - 16) * (at / max(1, total - 1))


def _y(value: float, low: float, high: float) -> float:
    share = 0.5 if high == low else (value - low) / (high - low)
    return 12 + (HEIGHT - MARGIN / 2 - 18) * (1 - share)


def _point(item: Measurement, x: float, y: float) -> str:
    notes = [f"{name}: {text}" for name, text in (item.metadata or {}).items()]
    words = "\n".join([" ".join(filter(None, [_time(item), str(item.phase), item.value, item.message])), *notes])
    colour = COLOURS.get(str(item.phase), COLOURS["Error"])
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(words)}</title></circle>'


def _ends(track: Track) -> Iterator[str]:
    if track.measurements:
        yield f'<text x="{MARGIN}" y="{HEIGHT - 6}">{_time(track.measurements[0])}</text>'
        yield f'<text x="{WIDTH - 8}" y="{HEIGHT - 6}" text-anchor="end">{_time(track.measurements[-1])}</text>'


def _time(item: Measurement) -> str:
    return item.started_at.strftime("%Y-%m-%d %H:%M:%SZ") if item.started_at else ""


def _outcomes(found: Sequence[Outcome]) -> str:
    if not found:
        return "<p>No run would have ended within this time.</p>"
    counts = ", ".join(f"{number} {phase}" for phase, number in counted(found).items())
    bad = [outcome for outcome in found if outcome.phase != "Successful"]
    rows = "".join(
        f"<tr><td>{outcome.begun:%Y-%m-%d %H:%M:%SZ}</td><td>{escape(outcome.phase)}</td>"
        f"<td>{escape(outcome.message)}</td></tr>"
        for outcome in bad
    )
    head = "<tr><th>begun</th><th>came to</th><th>because</th></tr>"
    table = f"<table>{head}{rows}</table>" if bad else ""
    return f"<h2>Runs</h2><p>Of {len(found)} begun one after the other: {counts}.</p>{table}"
