"""What a page shows when it cannot show what it is for: nothing there yet, or something wrong."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from trialign.errors import UserError

from .markup import Markup, plain, show

FIRST_RUN = "trialign fit --config conf/quickstart.yaml"


def no_runs(root: Path) -> None:
    """There is no run under the root."""
    with st.container(border=True):
        st.header("No runs yet", anchor=False)
        st.markdown(
            "This page shows audits: every group's agent answers the same questions, and the answers are compared. "
            f"There is none under the folder {plain(root.name)} yet. This command makes one, in some twenty minutes:"
        )
        st.code(FIRST_RUN, language="bash")
        st.caption("Then load this page again.")


def fault(error: UserError, root: Path) -> None:
    """Something that was asked for cannot be shown; says why and what to do, without the server's paths."""
    text = str(error).replace(f"{root.absolute()}/", "").replace(f"{root}/", "")
    st.error(plain(text), icon=":material/error:")


def skeleton(sentence: str) -> None:
    """The place of what is still being read.

    Args:
        sentence: says what that is; plain text.
    """
    show(
        Markup(
            '<p role="status" class="ta-small">{}</p>'
            '<div class="ta-skeleton" aria-hidden="true"><i></i><i></i><i></i></div>'
        ).format(sentence)
    )


def nothing(sentence: str) -> None:
    """There is no such thing in this audit, and that is no fault.

    Args:
        sentence: says what is not there and when it would be; plain text.
    """
    st.info(plain(sentence), icon=":material/info:")
