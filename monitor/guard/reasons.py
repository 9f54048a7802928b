"""Why a record was dead-lettered: stable codes. The number stands in audit decisions, the name in headers and metrics.

Numbers are never reused or renumbered; a new reason takes the next free number of its stage.
"""

from enum import IntEnum


class Reason(IntEnum):
    """0 is admitted. 1-19 wire, 20-39 schema, 40-79 content, 80-99 state, from 100 people."""

    ADMITTED = 0
    # wire
    EMPTY_VALUE = 1
    WRONG_MAGIC = 2
    TRUNCATED_HEADER = 3
    OVERSIZED = 4
    # schema
    UNKNOWN_SCHEMA = 20
    INCOMPATIBLE_SCHEMA = 21
    SCHEMA_UNAVAILABLE = 22
    UNDECODABLE = 23
    # content
    MISSING_KEY = 40
    FOREIGN_KEY = 41
    BAD_TRANSACTION_ID = 42
    BAD_ACCOUNT_ID = 43
    BAD_IDEMPOTENCY_KEY = 44
    BAD_STRING = 45
    NEGATIVE_AMOUNT = 46
    AMOUNT_OUT_OF_RANGE = 47
    UNKNOWN_CURRENCY = 48
    NO_EXCHANGE_RATE = 49
    BAD_COUNTRY = 50
    EVENT_TIME_IN_FUTURE = 51
    EVENT_TIME_OUT_OF_RANGE = 52
    # state
    SUM_OVERFLOW = 80
    # people
    QUARANTINED = 100

    @property
    def code(self) -> str:
        """The name as it stands in headers, metrics and documents: lower case."""
        return self.name.lower()

    @property
    def stage(self) -> str:
        """`wire`, `schema`, `content`, `state` or `people`: where the record was stopped."""
        ends = ((20, "wire"), (40, "schema"), (80, "content"), (100, "state"))
        return next((stage for end, stage in ends if self < end), "people")

    @property
    def explanation(self) -> str:
        """One sentence for a person: what was wrong and what to do about it."""
        return _EXPLANATIONS[self]


_EXPLANATIONS: dict[Reason, str] = {
    Reason.ADMITTED: "Nothing is wrong.",
    Reason.EMPTY_VALUE: "The value is null or empty; transactions have no tombstones.",
    Reason.WRONG_MAGIC: "The first byte is not 0: the producer does not write the Confluent wire format.",
    Reason.TRUNCATED_HEADER: "The value is shorter than the 5-byte header of the Confluent wire format.",
    Reason.OVERSIZED: "The value is larger than max_value_bytes.",
    Reason.UNKNOWN_SCHEMA: "The schema source does not know the schema id; register the schema, then replay.",
    Reason.INCOMPATIBLE_SCHEMA: "The writer's schema cannot be read as schemas/transaction.avsc; fix the producer's schema.",
    Reason.SCHEMA_UNAVAILABLE: "The schema registry did not answer in time for an id not seen before, or so many were new that not all were asked for; replay when it is well.",
    Reason.UNDECODABLE: "The payload is not a record of its schema: truncated, altered, or with bytes left over.",
    Reason.MISSING_KEY: "The record has no key; the key must be account_id.",
    Reason.FOREIGN_KEY: "The record's key is not its account_id; the account would live in two partitions.",
    Reason.BAD_TRANSACTION_ID: "transaction_id is empty or longer than 128 bytes.",
    Reason.BAD_ACCOUNT_ID: "account_id is empty or longer than 128 bytes.",
    Reason.BAD_IDEMPOTENCY_KEY: "idempotency_key is empty or longer than 128 bytes; leave it null to use transaction_id.",
    Reason.BAD_STRING: "merchant_id, merchant_category, device_id or ip is longer than 128 bytes.",
    Reason.NEGATIVE_AMOUNT: "amount_minor is negative; a refund is a credit with a positive amount.",
    Reason.AMOUNT_OUT_OF_RANGE: "amount_minor, or its value in the base currency, is beyond max_amount_minor.",
    Reason.UNKNOWN_CURRENCY: "currency is not an ISO 4217 code.",
    Reason.NO_EXCHANGE_RATE: "currency is known, but the exchange table has no rate for it; add one, then replay.",
    Reason.BAD_COUNTRY: "country is not two capital letters.",
    Reason.EVENT_TIME_IN_FUTURE: "event_time is further ahead of the clock than future_skew_s.",
    Reason.EVENT_TIME_OUT_OF_RANGE: "event_time is before the year 2000.",
    Reason.SUM_OVERFLOW: "The account's window sums would overflow; the amounts before it are not plausible.",
    Reason.QUARANTINED: "An operator took the record out, unread, with `monitor quarantine`; the audit block says who and why.",
}
