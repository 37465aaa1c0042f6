"""A template replayed over the past of a real Prometheus: `replay` asks, `outcomes` judges, `plot` and `page` show.

replay    every metric at its interval, each query evaluated at its own moment         asks Prometheus
turns     the same for templates with comparisons: one run after the other              asks Prometheus
outcomes  what would have come of a run begun at each of these moments                 pure
plot      the measurements and their phases, on a terminal                             pure
page      the same as one HTML file without scripts                                    pure
"""
