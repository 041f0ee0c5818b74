"""One look in light and dark: Streamlit's options for it, and the style of the app's own HTML.

The options are handed over on the command line, since an installed package has no ``.streamlit`` folder in the
folder it is started from. The style sheet follows Streamlit's choice of light or dark through CSS ``light-dark()``.
"""

from __future__ import annotations

from pathlib import Path

STYLE_SHEET = Path(__file__).with_name("style.css")
ICON = Path(__file__).with_name("icon.svg")

_LIGHT = {
    "primaryColor": "#0b6b63",
    "backgroundColor": "#fcfbf8",
    "secondaryBackgroundColor": "#f2f0ea",
    "textColor": "#1b2230",
    "linkColor": "#0b6b63",
    "borderColor": "#d9d5cb",
}
_DARK = {
    "primaryColor": "#58c2b4",
    "backgroundColor": "#11151b",
    "secondaryBackgroundColor": "#1a2028",
    "textColor": "#e9e6df",
    "linkColor": "#6fd0c3",
    "borderColor": "#333c48",
}
_BOTH = {
    "baseRadius": "0.5rem",
    "headingFont": "serif",
    "showSidebarBorder": "true",
    "linkUnderline": "true",
}


def options() -> dict[str, str]:
    """Streamlit's theme options, such as ``theme.light.textColor``."""
    parts = {"": _BOTH, "light.": _LIGHT, "dark.": _DARK}
    return {f"theme.{part}{name}": value for part, values in parts.items() for name, value in values.items()}
