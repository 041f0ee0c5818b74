"""Faults that a user can mend, and work that others broke off."""


class UserError(Exception):
    """The user's input or configuration is wrong; the command line exits with code 2.

    Args:
        problem: what is wrong, in one sentence that names the file, row, key or value.
        remedy: what to do about it, in one sentence.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem.rstrip('.')}. {remedy.rstrip('.')}.")
        self.problem = problem
        self.remedy = remedy


class UnfinishedError(Exception):
    """Work broke off through no fault of the input; the command line exits with code 1.

    Args:
        problem: what happened, in one sentence.
        remedy: what is kept, and how to go on.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem.rstrip('.')}. {remedy.rstrip('.')}.")
