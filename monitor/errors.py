"""Every error this program raises on purpose, and the exit code a process leaves with when one reaches its edge.

::

    MonitorError                    70  a fault of this program (EX_SOFTWARE)
    ├── SettingsError               78  a setting is missing, unknown or out of range (EX_CONFIG)
    ├── SchemaError                 65  a schema cannot be used (EX_DATAERR)
    │   ├── SchemaUnknown           65  the schema source says: no such schema
    │   ├── SchemaIncompatible      65  a writer's schema cannot be read as ours
    │   └── SchemaUnavailable       69  the schema source does not answer (EX_UNAVAILABLE)
    ├── ExchangeError               65  the exchange table is malformed
    ├── ArtifactError               66  a model artifact is missing, altered or fails its self-check (EX_NOINPUT)
    ├── RulesError                  65  a rules file is malformed, or a condition in it means nothing
    ├── ControlsError               65  a control is malformed, or not allowed
    ├── DatasetError                65  training data is missing a column, or has the wrong type
    ├── OnlyRejectsError            65  nothing that comes in can be admitted: upstream, a schema or the settings are wrong
    ├── PageError                   69  no worker answers at its page
    ├── BrokerError                 69  Kafka does not answer, or refuses
    │   └── TopicError              69  a topic is missing, re-created, truncated or has the wrong partitions
    ├── ProtocolError               76  what was read contradicts what was committed: never go on (EX_PROTOCOL)
    │   ├── GapError                76  a run starts beyond the next undecided offset, and records were lost
    │   ├── StateAheadError         76  an account's watermark is beyond the audit log
    │   ├── LayoutError             76  a changelog record has a layout this version cannot read
    │   └── DamagedLogError         76  the broker hands out bytes that are not what was written
    └── CommitError                 75  a transaction failed, timed out or its result is unknown: restart resumes (EX_TEMPFAIL)
        └── FencedError             75  another worker owns the partition now

Exit code 0 is success, 1 a check that found a problem (`monitor doctor`, `monitor config check`, `monitor audit verify`), 2 a wrong command line.
A message names the field or setting, its value, and the fix, in that order.
"""


class MonitorError(Exception):
    """Base of the tree; `exit_code` is what the process leaves with if nobody handles it."""

    exit_code: int = 70


class SettingsError(MonitorError):
    """A setting is missing, unknown or out of range."""

    exit_code = 78


class SchemaError(MonitorError):
    """A schema cannot be used."""

    exit_code = 65


class SchemaUnknown(SchemaError):
    """The schema source answered: no such schema."""


class SchemaIncompatible(SchemaError):
    """A writer's schema cannot be resolved to the reader's."""


class SchemaUnavailable(SchemaError):
    """The schema source did not answer; the schema may well exist."""

    exit_code = 69


class ExchangeError(MonitorError):
    """The exchange table is malformed."""

    exit_code = 65


class ArtifactError(MonitorError):
    """A model artifact is missing, altered, or fails its self-check."""

    exit_code = 66


class RulesError(MonitorError):
    """A rules file is malformed, or a condition in it means nothing; the message names file, line and column."""

    exit_code = 65


class ControlsError(MonitorError):
    """A control is malformed or not allowed, or those that a block names cannot be had any more."""

    exit_code = 65


class DatasetError(MonitorError):
    """Training data is missing a column, or has the wrong type."""

    exit_code = 65


class OnlyRejectsError(MonitorError):
    """Of whatever rail, nothing that comes in can be admitted; the worker leaves before it has carried the topic into the dead letters."""

    exit_code = 65


class PageError(MonitorError):
    """No worker answers at its page, or something else does."""

    exit_code = 69


class BrokerError(MonitorError):
    """Kafka does not answer, or refuses."""

    exit_code = 69


class TopicError(BrokerError):
    """A topic is missing, re-created, truncated, or has the wrong number of partitions."""


class ProtocolError(MonitorError):
    """What was read contradicts what was committed; going on would lose or repeat something."""

    exit_code = 76


class GapError(ProtocolError):
    """A run starts beyond the next undecided offset, and the records between are lost."""


class StateAheadError(ProtocolError):
    """An account's watermark is beyond the audit log, which one transaction a run makes impossible."""


class LayoutError(ProtocolError):
    """A changelog record has a layout that this version cannot read."""


class DamagedLogError(ProtocolError):
    """The broker hands out bytes that are not what was written: a checksum does not hold, or no client can read them."""


class CommitError(MonitorError):
    """A transaction failed or timed out, or its result is unknown; the restart resumes from the audit log."""

    exit_code = 75


class FencedError(CommitError):
    """Another worker owns the partition now; this one must leave without writing."""
