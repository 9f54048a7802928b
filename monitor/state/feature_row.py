"""One row of the feature catalogue, from an account's past and the event that meets it. numba pieces of `kernels.fold`."""

import numpy as np

from monitor.features.catalogue import INDEX
from monitor.jit import piece
from monitor.state.baselines import deviation, young
from monitor.state.habits import hour_rarity, is_new, read_busiest, read_surprises
from monitor.state.layout import DAY, HOUR, HOUR_MS, MINUTE_MS, WEEK
from monitor.state.ring import short_windows
from monitor.state.tiles import distinct, largest, read, read_credits

_HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH = HOUR.offset, HOUR.size_ms, HOUR.count
_DAY_AT, _DAY_SIZE, _DAY_LENGTH = DAY.offset, DAY.size_ms, DAY.count
_WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH = WEEK.offset, WEEK.size_ms, WEEK.count
_HOURS_OF_WEEK = 168.0
_MOST_DRAIN = 100.0

AMOUNT, MEAN_AMOUNT, AMOUNT_Z, AMOUNT_RATIO = (
    INDEX[name] for name in ("amount", "mean_amount", "amount_z", "amount_ratio")
)
OVER_MAX_7D, SHARE_24H = INDEX["amount_over_max_7d"], INDEX["amount_share_24h"]
COUNT_1H, COUNT_24H, COUNT_7D = (INDEX[f"count_{window}"] for window in ("1h", "24h", "7d"))
SUM_1H, SUM_24H, SUM_7D = (INDEX[f"sum_{window}"] for window in ("1h", "24h", "7d"))
MEAN_1H, MEAN_24H, MEAN_7D = (INDEX[f"mean_{window}"] for window in ("1h", "24h", "7d"))
MAX_1H, MAX_24H, MAX_7D = (INDEX[f"max_{window}"] for window in ("1h", "24h", "7d"))
USUAL_COUNT_1H, PACE_RATIO = INDEX["usual_count_1h"], INDEX["pace_ratio"]
TIME_SINCE_LAST, MEAN_GAP, ACCOUNT_AGE = INDEX["time_since_last"], INDEX["mean_gap"], INDEX["account_age"]
NEW_MERCHANT, NEW_DEVICE, NEW_COUNTRY = INDEX["new_merchant"], INDEX["new_device"], INDEX["new_country"]
COUNTRY_CHANGE_SPEED, DISTINCT_MERCHANTS = INDEX["country_change_speed"], INDEX["distinct_merchants_24h"]
HOUR_RARITY, SURPRISES_14D, EVENTS_TOTAL = INDEX["hour_rarity"], INDEX["surprises_14d"], INDEX["events_total"]
CREDIT_COUNT_24H, CREDIT_SUM_24H = INDEX["credit_count_24h"], INDEX["credit_sum_24h"]
DRAIN_RATIO_24H, IS_CREDIT, BUSIEST_5M = INDEX["drain_ratio_24h"], INDEX["is_credit"], INDEX["busiest_5m"]


@piece
def write_row(account, t, amount, credit, merchant, device, country, late, row):  # type: ignore[no-untyped-def]
    """Fill `row` (float64, one cell a feature, zeros before) for an event at `t` ms of `amount` base minor. Returns saturation.

    NaN, and never infinite, where the account's record holds what no payments can have made of it.
    """
    row[AMOUNT] = amount
    row[MEAN_AMOUNT] = account.amount_mean
    row[IS_CREDIT] = credit
    saturated = short_windows(account, t, row)
    _long_windows(account, t, late, row)
    _times(account, t, country, late, row)
    row[NEW_MERCHANT] = is_new(account.merchants, merchant)
    row[NEW_DEVICE] = is_new(account.devices, device)
    row[NEW_COUNTRY] = is_new(account.countries, country)
    row[DISTINCT_MERCHANTS] = distinct(account.merchant_sketch, account.day_head, t, late)
    row[HOUR_RARITY] = hour_rarity(account, t)
    row[SURPRISES_14D] = read_surprises(account, t, late)
    row[BUSIEST_5M] = read_busiest(account, t)
    if not credit:
        _against_past(account, np.float64(amount), row)
    for feature in range(row.shape[0]):
        if row[feature] - row[feature] != 0.0:  # not a finite number: the account's record is damaged
            row[feature] = np.nan
    return saturated


@piece
def _long_windows(account, t, late, row):  # type: ignore[no-untyped-def]
    counts, sums, maxima = account.tile_count, account.tile_sum, account.tile_max
    count, total = read(counts, sums, _HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH, account.hour_head, t, late)
    row[COUNT_1H], row[SUM_1H], row[MEAN_1H] = count, total, _mean(total, count)
    count, total = read(counts, sums, _DAY_AT, _DAY_SIZE, _DAY_LENGTH, account.day_head, t, late)
    row[COUNT_24H], row[SUM_24H], row[MEAN_24H] = count, total, _mean(total, count)
    count, total = read(counts, sums, _WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH, account.week_head, t, late)
    row[COUNT_7D], row[SUM_7D], row[MEAN_7D] = count, total, _mean(total, count)
    row[MAX_1H] = largest(maxima, _HOUR_AT, _HOUR_SIZE, _HOUR_LENGTH, account.hour_head, t, late)
    row[MAX_24H] = largest(maxima, _DAY_AT, _DAY_SIZE, _DAY_LENGTH, account.day_head, t, late)
    row[MAX_7D] = largest(maxima, _WEEK_AT, _WEEK_SIZE, _WEEK_LENGTH, account.week_head, t, late)
    row[USUAL_COUNT_1H] = row[COUNT_7D] / _HOURS_OF_WEEK
    row[PACE_RATIO] = (row[COUNT_1H] + 1.0) / (row[USUAL_COUNT_1H] + 1.0)
    row[CREDIT_COUNT_24H], row[CREDIT_SUM_24H] = read_credits(account, t, late)


@piece
def _mean(total, count):  # type: ignore[no-untyped-def]
    return np.float64(total) / np.float64(count) if count > 0 else 0.0


@piece
def _times(account, t, country, late, row):  # type: ignore[no-untyped-def]
    row[MEAN_GAP] = account.gap_mean / 1000.0
    row[EVENTS_TOTAL] = account.events
    if account.events == 0:
        row[TIME_SINCE_LAST] = -1.0
        return
    row[ACCOUNT_AGE] = np.float64(max(t - account.first_seen, 0)) / 1000.0
    if late:
        return
    gap = t - account.last_event_time
    row[TIME_SINCE_LAST] = np.float64(gap) / 1000.0
    both_known = country != 0 and account.last_country != 0
    if both_known and country != account.last_country:
        row[COUNTRY_CHANGE_SPEED] = np.float64(HOUR_MS) / np.float64(max(gap, MINUTE_MS))


@piece
def _against_past(account, amount, row):  # type: ignore[no-untyped-def]
    """The amount features of a debit; the windows are in `row` already."""
    trust = young(account)
    row[AMOUNT_Z] = (amount - account.amount_mean) / deviation(account) * trust
    row[AMOUNT_RATIO] = amount / (account.amount_mean + 1.0) * trust
    if row[COUNT_7D] > 0.0:
        row[OVER_MAX_7D] = amount / (row[MAX_7D] + 1.0)
    if amount > 0.0:
        row[SHARE_24H] = amount / (row[SUM_24H] + amount)
    if row[CREDIT_COUNT_24H] > 0.0:
        row[DRAIN_RATIO_24H] = min((row[SUM_24H] + amount) / (row[CREDIT_SUM_24H] + 1.0), _MOST_DRAIN)
