"""Comparisons: what a metric's `compare` block asks for, measured and judged.

    queries ──► provider (all at once) ──► answers ┐
    state of the metric's earlier measurements ────┴─► judge (pure) ──► measurement, new state

    faults      what can be wrong with the block, found before anything is measured
    settings    the block as numbers, with defaults
    measuring   the shell: asks, judges, keeps
    asking      the queries with `$window`, through any provider that takes a query; answers as numbers
    state       what is kept between two looks
    judgement   what judges are given and what they give back; the words that kubectl shows
    judges/     one file per judge, a row in its table

What a judge has learnt lives in the metadata of the metric's result, as one text of bounded size, so it survives a
restart and an error in between, and does not depend on how many measurements are kept. It is written together with the
measurement that it came from, so nothing is counted twice.
"""
