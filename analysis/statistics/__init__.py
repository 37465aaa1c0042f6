"""Judgements on data: whether the canary is worse than stable, by more than is allowed, and how sure that is.

Everything here is pure: numbers in, numbers out. No queries, no clock, no Kubernetes. `analysis.compare` brings the
numbers of a metric's `compare` block, and turns what is found into measurements.

    evidence     an e-process on two counts: may be looked at as often as one likes, and stopped at any time
    dispersion   how much more the counts scatter than independent requests would: the design effect
    counts       the two together: a judge of error counts that can be written down between looks
    share        did the canary get the share of requests that the router should give it?
    latency      the same e-process on every bound of a latency histogram
    ranks        Hodges-Lehmann shift or ratio of two samples with its interval, free of units
    spending     how a level is divided over looks, for judges that are not sequential by nature
    classify     one metric as Kayenta judges it: Pass, High, Low, Nodata
    scores       groups, weights, critical metrics, pass and marginal marks

The default needs the standard library alone; what needs numpy or scipy imports them when called, because they take
longer to import than everything else together.
"""
