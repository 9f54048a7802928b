"""Time as the monitor sees it."""

import time

from monitor.clock import Clock, ManualClock, SystemClock


def test_the_system_clock_tells_milliseconds_since_the_epoch():
    before = int(time.time() * 1000) - 1
    now = SystemClock().now_ms()
    assert before <= now <= int(time.time() * 1000) + 1


def test_the_system_clock_measures_durations_that_never_go_back():
    clock = SystemClock()
    readings = [clock.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_manual_clock_stands_still_until_it_is_advanced():
    clock: Clock = ManualClock(now_ms=5_000)
    assert (clock.now_ms(), clock.monotonic_s()) == (5_000, 5.0)
    assert clock.now_ms() == 5_000


def test_advancing_a_manual_clock_moves_wall_time_and_durations_together():
    clock = ManualClock(now_ms=0)
    clock.advance_ms(1_500)
    clock.advance_ms(250)
    assert (clock.now_ms(), clock.monotonic_s()) == (1_750, 1.75)
