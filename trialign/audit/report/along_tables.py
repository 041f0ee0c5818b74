"""The tables of a report along the groups' attributes, and of very many groups."""

from __future__ import annotations

from trialign.audit.report.columns import P_HOLM, Column, P, Table, cells, interval
from trialign.audit.report.types import Report


def curves(report: Report) -> Table:
    """Accuracy by the value of each attribute."""
    columns = (
        Column("attribute", "attribute"),
        Column("value", "value"),
        Column("groups", "groups", "count"),
        Column("accuracy", "right answers", "share"),
        *interval("share", "band_"),
    )
    rows = (
        (one.label, point.label, point.groups, point.accuracy, point.low, point.high)
        for one in report.audit.analysis.attributes
        for point in one.curve
    )
    return Table("curves", "Right answers along each attribute, with a band for the whole curve", columns, tuple(rows))


def trends(report: Report) -> Table:
    """Whether accuracy goes with an attribute."""
    columns = (
        Column("attribute", "attribute"),
        Column("change", "change from end to end, points", "points"),
        *interval("points"),
        Column("p_value", "p, within facts", "p_value"),
        Column("p_groups", "p, over whole groups", "p_value"),
        Column("p_flips", "p, flips grow with distance", "p_value"),
    )
    rows = (
        (one.label, one.trend.change, one.trend.low, one.trend.high, one.trend.p_value, one.trend.p_groups, one.p_flips)
        if one.trend
        else (one.label, None, None, None, None, one.p_any, None)
        for one in report.audit.analysis.attributes
    )
    return Table("trends", "Do right answers go with an attribute?", columns, tuple(rows))


def distances(report: Report) -> Table:
    """Flips by how far apart two groups are."""
    columns = (
        Column("attribute", "attribute"),
        Column("distance", "distance", "number"),
        Column("pairs", "pairs of groups", "count"),
        Column("flips", "answers differ", "share"),
        *interval("share"),
    )
    rows = (
        (one.label, point.distance, point.pairs, *cells(point.flips))
        for one in report.audit.analysis.attributes
        for point in one.flips
    )
    return Table(
        "distances", "How often two groups answer differently, by how far apart they are", columns, tuple(rows)
    )


def spread(report: Report) -> Table:
    """The accuracies of many groups against their noise."""
    columns = (
        Column("seen", "standard deviation seen", "distance"),
        Column("noise", "noise alone gives", "distance"),
        Column("between", "between groups", "distance"),
        *interval("distance"),
        P,
    )
    found = report.audit.analysis.group_spread
    rows = ((found.seen, found.noise, found.between, found.low, found.high, found.p_value),) if found else ()
    return Table("group_spread", "How far the groups' right answers are apart, in points", columns, rows)


def ranks(report: Report) -> Table:
    """The lowest and highest groups against the mean of all."""
    columns = (
        Column("group", "group"),
        Column("side", "among the"),
        Column("difference", "from the mean, points", "points"),
        P_HOLM,
    )
    found = report.audit.analysis.group_spread
    sides = (("lowest", found.lowest), ("highest", found.highest)) if found else ()
    rows = ((one.group, side, one.difference, one.p_holm) for side, ends in sides for one in ends)
    return Table("group_ranks", "The lowest and the highest groups", columns, tuple(rows))
