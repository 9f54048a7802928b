import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * An account's record: one byte[] that lives in the store and is changed in place. The rules are those of monitor/state/tiles.py:
 * the tile of time t is t / size, its place tile % length; places outside (head - length, head] are zeroed when the head moves.
 */
final class Account {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle FLOAT = MethodHandles.byteArrayViewVarHandle(float[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int FAMILIES = 3;
    private static final long[] SIZE_MS = {300_000L, 3_600_000L, 21_600_000L};
    private static final int[] LENGTH = {12, 24, 28};
    private static final int[] AT = {0, 12, 36};
    private static final int TILES = 64;

    private static final int HEADS = 0;
    private static final int LAST_EVENT_TIME = HEADS + 8 * FAMILIES;
    private static final int EVENTS = LAST_EVENT_TIME + 8;
    private static final int SUMS = EVENTS + 8;
    private static final int COUNTS = SUMS + 8 * TILES;
    private static final int MAXIMA = COUNTS + 4 * TILES;
    static final int BYTES = MAXIMA + 4 * TILES;

    /** Columns of the feature row, in the order of benchmarks/race/job.py. */
    static final int AMOUNT = 0, IS_CREDIT = 1, EVENTS_TOTAL = 2, TIME_SINCE_LAST = 3, COUNT = 4, SUM = 7, MEAN = 10, MAX = 13;

    static final int FEATURES = 16;

    private Account() {}

    static byte[] fresh() {
        byte[] account = new byte[BYTES];
        LONG.set(account, LAST_EVENT_TIME, Long.MIN_VALUE);
        return account;
    }

    /** Writes the features of an event, strictly from the account's past, as ordered floats. */
    static void describe(byte[] account, long t, long amount, boolean credit, long[] row) {
        long last = (long) LONG.get(account, LAST_EVENT_TIME);
        long events = (long) LONG.get(account, EVENTS);
        boolean late = t < last;
        row[AMOUNT] = Forest.ordered((float) (double) amount);
        row[IS_CREDIT] = Forest.ordered(credit ? 1.0f : 0.0f);
        row[EVENTS_TOTAL] = Forest.ordered((float) (double) events);
        row[TIME_SINCE_LAST] = Forest.ordered(events == 0 ? -1.0f : late ? 0.0f : (float) ((double) (t - last) / 1000.0));
        for (int family = 0; family < FAMILIES; family++) {
            int length = LENGTH[family], at = AT[family];
            long tile = t / SIZE_MS[family];
            long head = (long) LONG.get(account, HEADS + 8 * family);
            long newest = Math.min(late ? tile - 1 : tile, head);
            int read = (int) (newest - (Math.max(tile, head) - length));
            long count = 0, sum = 0;
            float max = 0.0f;
            for (int place = (int) (newest % length); read > 0; read--) {
                int cell = at + place;
                count += (int) INT.get(account, COUNTS + 4 * cell) & 0xFFFFFFFFL;
                sum += (long) LONG.get(account, SUMS + 8 * cell);
                max = Math.max(max, (float) FLOAT.get(account, MAXIMA + 4 * cell));
                place = place > 0 ? place - 1 : length - 1;
            }
            row[COUNT + family] = Forest.ordered((float) (double) count);
            row[SUM + family] = Forest.ordered((float) (double) sum);
            row[MEAN + family] = Forest.ordered(count > 0 ? (float) ((double) sum / (double) count) : 0.0f);
            row[MAX + family] = Forest.ordered(max);
        }
    }

    /** The event becomes the account's past. */
    static void fold(byte[] account, long t, long amount, boolean credit) {
        if (!credit) {
            for (int family = 0; family < FAMILIES; family++) {
                add(account, family, t, amount);
            }
        }
        long last = (long) LONG.get(account, LAST_EVENT_TIME);
        LONG.set(account, LAST_EVENT_TIME, Math.max(last, t));
        LONG.set(account, EVENTS, (long) LONG.get(account, EVENTS) + 1);
    }

    private static void add(byte[] account, int family, long t, long amount) {
        int length = LENGTH[family], at = AT[family];
        long tile = t / SIZE_MS[family];
        long head = (long) LONG.get(account, HEADS + 8 * family);
        if (tile <= head - length) {
            return;
        }
        for (long stale = Math.max(head, tile - length) + 1; stale <= tile; stale++) {
            int cell = at + (int) (stale % length);
            INT.set(account, COUNTS + 4 * cell, 0);
            LONG.set(account, SUMS + 8 * cell, 0L);
            FLOAT.set(account, MAXIMA + 4 * cell, 0.0f);
        }
        int cell = at + (int) (tile % length);
        INT.set(account, COUNTS + 4 * cell, (int) INT.get(account, COUNTS + 4 * cell) + 1);
        LONG.set(account, SUMS + 8 * cell, (long) LONG.get(account, SUMS + 8 * cell) + amount);
        float max = (float) FLOAT.get(account, MAXIMA + 4 * cell);
        FLOAT.set(account, MAXIMA + 4 * cell, Math.max(max, (float) amount));
        if (tile > head) {
            LONG.set(account, HEADS + 8 * family, tile);
        }
    }
}
