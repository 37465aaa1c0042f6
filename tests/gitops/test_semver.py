"""Ranges of versions, row by row."""

from __future__ import annotations

import pytest

from rollouts.gitops.semver import constraints, fits, parse

ROWS = """
1.2.3     =1.2.3        yes
1.2.3     1.2.3         yes
v1.2.3    1.2.3         yes
1.2.4     1.2.3         no
1.2.3+b   1.2.3         yes
1.2.9     1.2           yes
1.3.0     1.2           no
1.9.9     1             yes
2.0.0     1             no
1.2.9     =1.2          yes
1.2.9     1.2.x         yes
1.9.0     1.x           yes
9.9.9     *             yes
9.9.9     x             yes
1.2.3     !=1.2.3       no
1.2.4     !=1.2.3       yes
1.2.4     !=1.2         no
1.3.0     !=1.2         yes
2.3.0     !=1           yes
1.3.0     !=1           no
1.2.4     >1.2.3        yes
1.2.3     >1.2.3        no
1.2.9     >1.2          no
1.3.0     >1.2          yes
1.9.9     >1            no
2.0.0     >1            yes
1.2.3     >=1.2.3       yes
1.2.0     >=1.2         yes
1.1.9     >=1.2         no
1.2.3     =>1.2         yes
1.2.2     <1.2.3        yes
1.1.9     <1.2          yes
1.2.0     <1.2          no
1.2.3     <=1.2.3       yes
1.2.9     <=1.2         yes
1.3.0     <=1.2         no
1.9.9     <=1           yes
2.0.0     =<1           no
1.2.9     ~1.2.3        yes
1.2.2     ~1.2.3        no
1.3.0     ~1.2.3        no
1.2.0     ~1.2          yes
1.3.0     ~1.2          no
1.9.0     ~1            yes
2.0.0     ~1            no
1.2.9     ~>1.2.3       yes
9.0.0     ~0.0.0        yes
1.9.0     ^1.2.3        yes
1.2.2     ^1.2.3        no
2.0.0     ^1.2.3        no
1.9.0     ^1            yes
2.0.0     ^1            no
0.2.9     ^0.2.3        yes
0.3.0     ^0.2.3        no
0.0.3     ^0.0.3        yes
0.0.4     ^0.0.3        no
0.0.9     ^0.0          yes
0.1.0     ^0.0          no
0.9.9     ^0            yes
1.0.0     ^0            no
1.5.0     >=1.2, <2     yes
2.0.0     >=1.2, <2     no
1.5.0     >=1.2 <2      yes
1.5.0     >=1.2,<2      yes
1.2.0     1 || 3        yes
3.4.0     1 || 3        yes
2.0.0     1 || 3        no
1.5.0     1.2 - 2.3     yes
2.3.9     1.2 - 2.3     yes
2.4.0     1.2 - 2.3     no
2.3.4     1.2 - 2.3.4   yes
2.3.5     1.2 - 2.3.4   no
1.3.0-rc  >=1.2         no
1.3.0-rc  >=1.2-0       yes
1.3.0-rc  *             no
1.3.0-rc  *-0           yes
1.3.0-rc  ^1.2.0-0      yes
1.3.0-rc  >=1.2-0 <2    yes
1.3.0-rc  >=1.2 || >2-0 no
1.2.3-rc  =1.2.3-rc     yes
1.2.3-a   <1.2.3-b      yes
1.2.3-2   <1.2.3-10     yes
1.2.3-10  <1.2.3-a      yes
1.2.3-a   <1.2.3-a.1    yes
1.2.3-rc  !=1.2.3       no
01.02.03  1.2.3         yes
1.2       1.2           no
latest    *             no
1.2.3.4   *             no
""".strip().splitlines()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.split()))
def test_versions_and_ranges(row: str) -> None:
    version, *range_, expected = row.split()
    assert fits(version, " ".join(range_)) is (expected == "yes")


@pytest.mark.parametrize(
    "text", ["", "||", "1 ||", "foo", "1x", "1.2.3.4", "1.2.a", ">>1", "1.2.3-", "@1", "1,,2", "1." * 300, "$1"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError):
        constraints(text)


def test_versions_are_sorted_as_their_specification_says() -> None:
    order = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    order += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "10.0.0"]
    shuffled = order[5:] + order[:5]
    assert sorted(shuffled, key=lambda text: parse(text).order) == order  # type: ignore[union-attr]
