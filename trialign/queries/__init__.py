"""Queries: the records, their readers, and how a reply is read as an answer."""

from trialign.queries.types import (
    ANSWER_KINDS,
    KINDS,
    SPLITS,
    AnswerKind,
    Form,
    Kind,
    MixedQuery,
    PreferenceQuery,
    Query,
    Split,
    TruthQuery,
)

__all__ = [
    "ANSWER_KINDS",
    "KINDS",
    "SPLITS",
    "AnswerKind",
    "Form",
    "Kind",
    "MixedQuery",
    "PreferenceQuery",
    "Query",
    "Split",
    "TruthQuery",
]
