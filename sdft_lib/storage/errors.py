"""The one error type that a user is meant to read."""


class SdftError(ValueError):
    """One sentence: what is wrong, where (file, row, column), what to do. The CLI prints it and
    exits with 2.
    """
