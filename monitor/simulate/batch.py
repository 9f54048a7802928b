"""A batch of transactions as they leave the simulator: columns of text and numbers, the fields of schemas/transaction.avsc."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from monitor.simulate.draws import mix
from monitor.simulate.places import CURRENCIES, PLACES
from monitor.simulate.rows import COUNTERPARTY, NOWHERE, Rows
from monitor.simulate.scenarios import NAMES

ATTRIBUTES: tuple[dict[str, str], ...] = (
    {},
    {"entry": "chip"},
    {"entry": "contactless"},
    {"entry": "online"},
    {"purpose": "salary"},
    {"purpose": "refund"},
)
"""The maps that `Batch.attributes` points into."""

SCENARIO_NAMES = NAMES
"""The names that `Batch.scenario` points into; 0, the empty name, is genuine."""

Text = NDArray[np.bytes_]


@dataclass(frozen=True, slots=True)
class Batch:
    """`n` transactions in order of arrival; every field is an array of length `n`.

    Text columns are numpy bytes (ASCII), `b""` is null. `event_time`, `amount_minor`, `label_time` (when the fraud becomes known;
    0 for genuine) and `arrival_time` int64; times in ms, UTC. `direction`, `channel` uint8, indexes into
    `wire.columns.DIRECTIONS` and `CHANNELS`; `attributes` uint8 into `ATTRIBUTES`; `scenario` uint8 into `SCENARIO_NAMES`.
    """

    transaction_id: Text
    account_id: Text
    event_time: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    currency: Text
    direction: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    merchant_id: Text
    merchant_category: Text
    country: Text
    device_id: Text
    ip: Text
    idempotency_key: Text
    attributes: NDArray[np.uint8]
    is_fraud: NDArray[np.bool_]
    scenario: NDArray[np.uint8]
    label_time: NDArray[np.int64]
    arrival_time: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.event_time.shape[0])

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "Batch":
        """The chosen rows, by mask, index or slice."""
        return Batch(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    def moved(self, by_ms: int) -> "Batch":
        """The same transactions `by_ms` later."""
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        for name in ("event_time", "arrival_time"):
            columns[name] = columns[name] + by_ms
        columns["label_time"] = np.where(self.is_fraud, self.label_time + by_ms, 0)
        return Batch(**columns)


def written_out(rows: Rows, seed: int) -> Batch:
    """The rows as text and numbers. Ids carry eight digits of the seed's mixture, so that two seeds' streams never collide."""
    world = b"%08d" % int(mix(seed)[0] % np.uint64(10**8))
    merchant = rows["merchant"].astype(np.int64)
    partner = merchant >= COUNTERPARTY
    return Batch(
        transaction_id=_numbered(b"T" + world, 12, rows["number"]),
        account_id=_numbered(b"A", 8, rows["account"].astype(np.int64)),
        event_time=rows["time"].copy(),
        amount_minor=rows["amount"].copy(),
        currency=_CURRENCIES[rows["currency"]],
        direction=rows["direction"].copy(),
        channel=rows["channel"].copy(),
        merchant_id=_merchant_ids(merchant, partner),
        merchant_category=_blank_where(rows["category"] == 0, _DIGITS[rows["category"]]),
        country=_COUNTRIES[rows["place"]],
        device_id=_blank_where(rows["device"] < 0, _numbered(b"D", 12, np.abs(rows["device"]) % 10**12)),
        ip=_addresses(rows["ip"]),
        idempotency_key=_blank_where(rows["original"] < 0, _numbered(b"K" + world, 12, np.abs(rows["original"]))),
        attributes=rows["attributes"].copy(),
        is_fraud=rows["scenario"] > 0,
        scenario=rows["scenario"].copy(),
        label_time=np.where(rows["scenario"] > 0, rows["time"] + rows["label_delay"], 0),
        arrival_time=rows["arrival"].copy(),
    )


_DIGITS = np.array([b"%04d" % number for number in range(10_000)], "S4")
_CURRENCIES = np.array([currency.encode() for currency in CURRENCIES], "S3")
_COUNTRIES = np.full(NOWHERE + 1, b"", "S2")
_COUNTRIES[: len(PLACES)] = [place.code.encode() for place in PLACES]
_OCTETS = np.array([b"%03d" % (100 + number % 156) for number in range(256)], "S3")


def _numbered(prefix: bytes, digits: int, numbers: NDArray[np.int64]) -> Text:
    """`prefix` and the number with leading zeros; `digits` is a multiple of 4."""
    n = numbers.shape[0]
    width = len(prefix) + digits
    text = np.empty((n, width), np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    for end in range(width, len(prefix), -4):
        numbers, rest = np.divmod(numbers, 10_000)
        text[:, end - 4 : end] = _DIGITS[rest].view(np.uint8).reshape(n, 4)
    return text.view(f"S{width}").reshape(n)


def _merchant_ids(merchant: NDArray[np.int64], partner: NDArray[np.bool_]) -> Text:
    text = _numbered(b"M", 12, np.where(partner, merchant - COUNTERPARTY, np.abs(merchant)))
    text.view(np.uint8).reshape(-1, 13)[partner, 0] = ord("C")
    return _blank_where(merchant < 0, text)


def _addresses(ip: NDArray[np.uint32]) -> Text:
    """Private addresses of one length, 10.a.b.c with three digits each: made up, never somebody's."""
    n = ip.shape[0]
    text = np.empty((n, 14), np.uint8)
    text[:, :3] = np.frombuffer(b"10.", np.uint8)
    for place, shift in ((3, 0), (7, 8), (11, 16)):
        text[:, place : place + 3] = _OCTETS[(ip >> np.uint32(shift)) & np.uint32(255)].view(np.uint8).reshape(n, 3)
        if place < 11:
            text[:, place + 3] = ord(".")
    return _blank_where(ip == 0, text.view("S14").reshape(n))


def _blank_where(null: NDArray[np.bool_], text: Text) -> Text:
    text[null] = b""
    return text
