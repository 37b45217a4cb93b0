"""Every exception and warning that clustermass raises. Each also derives from the builtin a caller would expect."""

from __future__ import annotations


class ClusterMassError(Exception):
    """Base class of all errors raised on purpose by clustermass."""


class DomainError(ClusterMassError, ValueError):
    """A parameter lies outside its allowed range."""


class BadInputError(ClusterMassError, ValueError):
    """An array holds values that mean nothing here (NaN, infinity, a negative length); names the first."""


class ArrayError(ClusterMassError, ValueError):
    """An array has the wrong shape, length or memory layout."""


class DTypeError(ClusterMassError, TypeError):
    """An array has a type that is not supported."""


class UnitError(ClusterMassError, ValueError):
    """A quantity has the wrong physical dimension."""


class BackendUnavailableError(ClusterMassError, RuntimeError):
    """The implementation asked for is not installed; the reason is in the message."""


class DeviceError(ClusterMassError, RuntimeError):
    """A CUDA call failed."""


class FileFormatError(ClusterMassError, ValueError):
    """A file is not what it claims to be, is damaged, or is of no known format; names the file and the field."""


class TruncatedFileError(FileFormatError):
    """A file ends before the data that it declares."""


class MissingFieldError(ClusterMassError, KeyError):
    """A file lacks a dataset or header entry that the request needs; names both and says what it prevents."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class NotFittedError(ClusterMassError, RuntimeError):
    """An estimator that learns from clusters of known mass was asked before it had seen any."""


class TrainingError(ClusterMassError, RuntimeError):
    """Training cannot go on: a loss that is not finite. The last good state is kept."""


class MissingDependencyError(ClusterMassError, ImportError):
    """An optional package is needed; the message has the line that installs it."""


class ClusterMassWarning(UserWarning):
    """Base class of all warnings."""


class PerformanceWarning(ClusterMassWarning):
    """The result is right but slower than it could be."""


class DataWarning(ClusterMassWarning):
    """An assumption was made about data that a file does not hold."""
