"""Label: do two replies state the same fact?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st

from trialign.audit.figures.labelling import Queue, Standing, settled_pairs, standing
from trialign.audit.files.labels import LabelStore
from trialign.comparing.pairs import Verdict

from ..components import answers, states
from ..components.labelling import WORDS, pair_card, people, told_apart
from ..components.markup import plain
from ..components.markup import show as draw
from ..reading.labelling import queue_of, store_of
from ..session import access, labelling, selection
from ..session.head import head
from ..session.integrity import check
from ..session.selection import Selection
from ..session.sign import done

_LEAD = (
    "What compares replies in words makes mistakes, and people tell how many. Two of you read the same pairs, each "
    "alone, and say whether both replies state one fact; nobody is told which groups they are from."
)
_SETTLED_AT_ONCE = 10  # pairs that are shown
_KEYS: Mapping[Verdict, str] = {"same": "1", "other": "2", "cannot tell": "3"}
_HOW = (
    "**Same fact** (key 1): both give the same answer to the question, in whatever words and with whatever detail; "
    "also where both are wrong in the same way.\n\n"
    "**Another fact** (key 2): their answers differ, or one denies what the other says.\n\n"
    "**Cannot tell** (key 3): one of them gives no answer or two, or you would have to guess."
)


def show() -> None:
    """Draws the page: the next pair, what the labels come to, where people differ, and the file."""
    chosen = selection.current()
    st.html(answers.STYLE_SHEET)
    head(chosen, "Do two replies state the same fact?", _LEAD)
    check(chosen.catalog, chosen.audit)
    queue = queue_of(chosen.catalog, chosen.audit)
    if queue is None:
        states.nothing(
            "There are no two replies to hold against each other here: this audit asked no facts in words, or one "
            "group alone, or all replies are in the same words."
        )
        return
    person, store = access.enter(), store_of(chosen.catalog, chosen.run, chosen.audit)
    found = standing(queue, store.given())
    who = ""
    if person.may_write:
        who = labelling.name()
        _next(chosen, queue, store, found, person, who)
    else:
        st.caption("You may read here. Labelling is for auditors.")
    _so_far(queue, found)
    _differing(chosen, queue, store, found, person, who)
    _file(chosen, queue, store, found)


def _next(chosen: Selection, queue: Queue, store: LabelStore, found: Standing, person: access.Person, who: str) -> None:
    """One pair, and what can be said of it."""
    if not who:
        st.markdown(_HOW)
        st.caption("Write your name to begin. You can stop after any pair, and go on later under the same name.")
        return
    own = labelling.own_labels(found, who)
    one = labelling.next_pair(queue, own)
    if one is None:
        st.success("You have labelled all pairs of this audit. Thank you.", icon=":material/check:")
    else:
        number = queue.pairs.index(one) + 1
        before = f"; you said: {WORDS[own[one.key]]}" if one.key in own else ""
        draw(pair_card(one, f"Pair {number:,} of {len(queue.pairs):,}{before}"))
    with st.container(horizontal=True):
        said = _pressed() if one is not None else None
        last = labelling.last_pair(own)
        if last is not None:
            st.button("Back to the last pair", icon=":material/undo:", on_click=labelling.go_back, args=(last,))
    with st.expander("How to decide", icon=":material/help:"):
        st.markdown(_HOW)
    if said and one and done(chosen, lambda: labelling.save(store, queue, person, who, one.key, said)):
        st.rerun()


def _pressed() -> Verdict | None:
    """Draws a button for each label; the label whose button was pressed."""
    pressed = [label for label, words in WORDS.items() if st.button(words, key=f"say-{label}", shortcut=_KEYS[label])]
    return pressed[0] if pressed else None


def _so_far(queue: Queue, found: Standing) -> None:
    """How many pairs have a label, and how far people agree."""
    st.header("The labels so far", anchor=False)
    if not found.said:
        states.nothing("Nobody has labelled a pair of this audit yet.")
        return
    counts = {label: sum(one == label for one in found.settled.values()) for label in WORDS}
    st.markdown(
        f"**Labelled: {counts['same'] + counts['other']:,}** ({counts['same']:,} the same fact, {counts['other']:,} "
        f"another fact). Waiting for a second person: {found.once:,}. People differ on {len(found.differing):,}, and "
        f"agree that they cannot tell on {counts['cannot tell']:,}."
    )
    people(found, len(queue.pairs))
    st.caption(
        "Kappa is 1 where two people always say the same, and 0 where they agree no more often than chance would make "
        "them. In brackets: 95 % intervals."
    )


def _differing(
    chosen: Selection, queue: Queue, store: LabelStore, found: Standing, person: access.Person, who: str
) -> None:
    """The pairs on which people differ, each until somebody settles it; none that this person has yet to label."""
    own = labelling.own_labels(found, who)
    differing = [key for key in found.differing if key in own or not own]
    if not differing:
        return
    st.header("Where people differ", anchor=False)
    st.caption(
        "These pairs do not count until they are settled: read them together, and say what holds. Here stands what "
        "each of you said, so whoever is still to label them leaves it closed."
    )
    by_key = {one.key: one for one in queue.pairs}
    shown = differing[:_SETTLED_AT_ONCE]
    with st.expander(f"Settle {len(differing):,} of them" if who else f"Read {len(differing):,} of them"):
        for place, key in enumerate(shown, start=1):
            draw(pair_card(by_key[key], f"Differing pair {place:,} of {len(differing):,}"))
            draw(told_apart(key, found))
            label = _settled(key, who) if person.may_write else None
            if label and done(chosen, partial(labelling.save, store, queue, person, who, key, label, settles=True)):
                st.rerun()
        if person.may_write and not who:
            st.caption("Write your name above to settle a pair.")


def _settled(key: str, who: str) -> Verdict | None:
    """Draws what settles a pair; the label that it was settled with."""
    label: Verdict | None = st.selectbox(
        "What holds", list(WORDS), index=None, key=f"settle-{key}", format_func=WORDS.__getitem__
    )
    pressed = st.button("Settle this pair", key=f"settled-{key}", disabled=label is None or not who)
    return label if pressed else None


def _file(chosen: Selection, queue: Queue, store: LabelStore, found: Standing) -> None:
    """The labelled pairs as a file that a comparer is measured on."""
    st.header("Measure a judge on them", anchor=False)
    pairs = settled_pairs(queue, found)
    if not pairs:
        st.caption(
            "There is a file as soon as two people agree on a pair that canonical answers call the same, and on one "
            "that they do not, as far as this audit has both."
        )
        return
    where = store.pairs_file.relative_to(chosen.catalog.root).as_posix()
    st.download_button(
        "Download the labelled pairs",
        labelling.pairs_text(queue, found),
        f"{chosen.run.id}.{chosen.audit.id}.pairs.jsonl",
        "application/x-ndjson",
        icon=":material/download:",
    )
    alike = f", with {len(queue.alike):,} pairs in the same words, which nobody was asked about" if queue.alike else ""
    st.caption(
        plain(f"{len(pairs) - len(queue.alike):,} pairs{alike}. The same file lies in the folder of runs: {where}")
    )
    st.code(
        "trialign calibrate --config mine.yaml --pairs FILE --write calibration.json", language="bash", wrap_lines=True
    )
