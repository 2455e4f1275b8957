"""The one error that users see."""


class PosepipeError(Exception):
    """A mistake in the input: one sentence that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """
