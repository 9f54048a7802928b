"""The kernel that writes the Avro records of a run's alerts, one after the other, field by field in the order of schemas/alert.avsc.

Texts come as bytes and spans, doubles as their 64 bits. Whoever calls brings an `out` that is large enough: `ROOM` bytes an alert beside
all that is copied.
"""

import numpy as np

from monitor.effects.alert_ids import ID_BYTES
from monitor.jit import inlined, kernel
from monitor.wire.columns import ACCOUNT_ID, AMOUNT_MINOR, CHANNEL, CURRENCY, EVENT_TIME, TRANSACTION_ID

U8, U64 = np.uint8, np.uint64

VARINT_BYTES, OPTIONAL_BYTES = 10, 9
"""The longest long; a double that may be null."""

ROOM = ID_BYTES + 13 * VARINT_BYTES + 2 * OPTIONAL_BYTES + 3
"""Most bytes of an alert that are no copy: its id, longs, lengths and counts, two doubles, a truth, the ends of two arrays."""

HEAD, MODEL, SOURCE = range(3)
"""Spans of `same`: what is encoded once for all alerts of a run. The frame; model version and feature set; topic and partition."""


@inlined
def _copied(out, at, source, start, length):  # type: ignore[no-untyped-def]
    start = U64(start)
    for i in range(U64(length)):
        out[at + i] = source[start + i]
    return at + U64(length)


@inlined
def _long(out, at, number):  # type: ignore[no-untyped-def]
    left = U64((number << 1) ^ (number >> 63))
    while left >= U64(0x80):
        out[at] = U8((left & U64(0x7F)) | U64(0x80))
        left >>= U64(7)
        at += U64(1)
    out[at] = U8(left)
    return at + U64(1)


@inlined
def _text(out, at, source, start, length):  # type: ignore[no-untyped-def]
    return _copied(out, _long(out, at, np.int64(length)), source, start, length)


@inlined
def _double(out, at, bits):  # type: ignore[no-untyped-def]
    for i in range(U64(8)):
        out[at + i] = U8(bits >> (U64(8) * i))


@inlined
def _optional(out, at, number, bits):  # type: ignore[no-untyped-def]
    """A double, or null for NaN."""
    if np.isnan(number):
        out[at] = U8(0)
        return at + U64(1)
    out[at] = U8(2)
    _double(out, at + U64(1), bits)
    return at + U64(OPTIONAL_BYTES)


@inlined
def _span(out, at, source, spans, i):  # type: ignore[no-untyped-def]
    return _copied(out, at, source, spans[i], spans[i + 1] - spans[i])


@inlined
def _texts(out, at, source, spans, first, last):  # type: ignore[no-untyped-def]
    """An array of the strings `first` to before `last`."""
    if last > first:
        at = _long(out, at, last - first)
        for i in range(first, last):
            at = _text(out, at, source, spans[i], spans[i + 1] - spans[i])
    out[at] = U8(0)
    return at + U64(1)


@inlined
def _attributions(out, at, items, spans, numbers, values, percentiles, order, alert):  # type: ignore[no-untyped-def]
    """An array of the features' items in the `order` of one alert, with its numbers."""
    features = order.shape[1]
    if features:
        at = _long(out, at, np.int64(features))
    for rank in range(features):
        place = order[alert, rank]
        end = _span(out, at, items, spans, place)
        for which in range(4):
            if numbers[place, which] >= 0:
                _double(out, at + U64(numbers[place, which]), values[which, alert, place])
        at = _optional(out, end, percentiles[alert, place], values[4, alert, place])
    out[at] = U8(0)
    return at + U64(1)


@kernel
def write_alerts(  # type: ignore[no-untyped-def]
    out, ends, same, same_spans, ids, data, starts, lengths, longs, offsets, detected_at, outcomes, judged, judged_bits,
    channels, channel_spans, lacking, lacking_spans, degraded, reasons, reason_spans, reason_ends, hits, hit_spans, items, item_spans, numbers, values, percentiles, order,
    told, in_burst, suppressed_by, suppressed_by_spans,
):  # fmt: skip
    """Write `m` alerts into `out` uint8[], one after the other; `ends` int64[m] gets where each ends.

    `starts` int64[9, m], `lengths` int32[9, m] and `longs` int64[4, m] are their cells of `Columns`, with the texts in `data`; `judged` float64[2, m] and
    the bits of it: score and threshold; `lacking`: what each value of `degraded` uint8[m] says, encoded; `reason_ends` int64[m]: how many reasons there are up to and with each alert's; `hits`: of each alert, encoded.
    `items` to `order` are `Attributions`; `told` int64[m], `in_burst` bool[m] and `suppressed_by` (of each alert, encoded) are of `Telling`. `..._spans` are those of `Joined`. The others are as in `Alerts`.
    """
    at, reason = U64(0), np.int64(0)
    for alert in range(offsets.shape[0]):
        at = _span(out, at, same, same_spans, HEAD)
        at = _text(out, at, ids, ID_BYTES * alert, ID_BYTES)
        at = _text(out, at, data, starts[TRANSACTION_ID, alert], lengths[TRANSACTION_ID, alert])
        at = _text(out, at, data, starts[ACCOUNT_ID, alert], lengths[ACCOUNT_ID, alert])
        at = _long(out, at, longs[EVENT_TIME, alert])
        at = _long(out, at, detected_at)
        at = _long(out, at, np.int64(outcomes[alert]))
        at = _optional(out, at, judged[0, alert], judged_bits[0, alert])
        at = _optional(out, at, judged[1, alert], judged_bits[1, alert])
        at = _span(out, at, same, same_spans, MODEL)
        at = _texts(out, at, reasons, reason_spans, reason, reason_ends[alert])
        reason = reason_ends[alert]
        at = _span(out, at, hits, hit_spans, alert)
        at = _attributions(out, at, items, item_spans, numbers, values, percentiles, order, alert)
        at = _span(out, at, lacking, lacking_spans, degraded[alert])
        at = _long(out, at, longs[AMOUNT_MINOR, alert])
        at = _text(out, at, data, starts[CURRENCY, alert], lengths[CURRENCY, alert])
        at = _span(out, at, channels, channel_spans, longs[CHANNEL, alert])
        at = _span(out, at, same, same_spans, SOURCE)
        at = _long(out, at, offsets[alert])
        at = _long(out, at, told[alert])
        out[at] = U8(in_burst[alert])
        at = _span(out, at + U64(1), suppressed_by, suppressed_by_spans, alert)
        ends[alert] = at
