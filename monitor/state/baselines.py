"""What an account usually pays, and how often: exponentially weighted, robust against one large amount. numba pieces.

The weight of an observation is `max(LEAST_WEIGHT, 1 / (n + 1))` with n observations before: a plain mean while the account
is young. The first debit sets the variance to its own square: one pseudo-observation of a deviation as large as the mean, so
that a second amount unlike the first is no surprise. From `CLIP_FROM` debits on an update is clipped at mean + 3 deviations, so
that fraud cannot make itself usual.
"""

import math

import numpy as np

from monitor.jit import piece

LEAST_WEIGHT = 0.05
CLIP_FROM = 8
CLIP_DEVIATIONS = 3.0
SHRINK_DEBITS = 3.0
"""Young accounts: a comparison with the mean counts n / (n + 3)."""
LEAST_DEVIATION_SHARE = 0.1
"""Of the mean: an account that always pays the same has a deviation, too."""


@piece
def deviation(account):  # type: ignore[no-untyped-def]
    """The account's deviation of debits, base minor; at least a tenth of the mean, and at least 1."""
    return max(math.sqrt(account.amount_variance), account.amount_mean * LEAST_DEVIATION_SHARE, 1.0)


@piece
def young(account):  # type: ignore[no-untyped-def]
    """How far comparisons with the mean count: n / (n + 3), with n debits seen."""
    n = np.float64(account.debits)
    return n / (n + SHRINK_DEBITS)


@piece
def learn_amount(account, amount):  # type: ignore[no-untyped-def]
    """Move mean and variance by one debit. Formula: West (1979), with an exponential weight."""
    value = np.float64(amount)
    n = account.debits
    if n == 0:
        account.amount_mean = value
        account.amount_variance = value * value
    else:
        if n >= CLIP_FROM:
            value = min(value, account.amount_mean + CLIP_DEVIATIONS * deviation(account))
        weight = max(LEAST_WEIGHT, 1.0 / (np.float64(n) + 1.0))
        difference = value - account.amount_mean
        account.amount_mean += weight * difference
        account.amount_variance = (1.0 - weight) * (account.amount_variance + weight * difference * difference)
    account.debits = n + 1


@piece
def learn_gap(account, t):  # type: ignore[no-untyped-def]
    """Move the mean gap by an event in order at `t`, the account having `events` >= 1 before."""
    weight = max(LEAST_WEIGHT, 1.0 / np.float64(account.events))
    account.gap_mean += weight * (np.float64(t - account.last_event_time) - account.gap_mean)
