import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** What every system of the race is given: forest, exchange table, threshold. Written by benchmarks/race/job.py, little-endian. */
final class Job {
    static final int LETTERS = 26 * 26 * 26;

    final Forest forest;
    final double threshold;
    final byte[] modelVersion;
    /** By currency: base minor units per minor unit as a fraction; a denominator of 0: no rate. */
    final long[] numerators = new long[LETTERS];
    final long[] denominators = new long[LETTERS];

    Job(Path file) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        threshold = in.getDouble();
        modelVersion = new byte[in.getInt()];
        in.get(modelVersion);
        int currencies = in.getInt();
        byte[] code = new byte[3];
        for (int i = 0; i < currencies; i++) {
            in.get(code);
            int place = place(code, 0);
            numerators[place] = in.getLong();
            denominators[place] = in.getLong();
        }
        forest = new Forest(in);
    }

    static int place(byte[] text, int at) {
        return ((text[at] - 'A') * 26 + (text[at + 1] - 'A')) * 26 + (text[at + 2] - 'A');
    }

    /** Exact, rounded half to even; the estimate is off by less than 8, and the wrapped products tell by how much. */
    long toBase(long amount, int place) {
        long numerator = numerators[place], denominator = denominators[place];
        if (denominator == 0) {
            throw new IllegalArgumentException("no rate for currency " + place);
        }
        if (numerator == denominator) {
            return amount;
        }
        long quotient = (long) ((double) amount * (double) numerator / (double) denominator);
        long rest = amount * numerator - quotient * denominator;
        quotient += Math.floorDiv(rest, denominator);
        rest = Math.floorMod(rest, denominator);
        if (2 * rest > denominator || (2 * rest == denominator && (quotient & 1) == 1)) {
            quotient++;
        }
        return quotient;
    }

    String version() {
        return new String(modelVersion, StandardCharsets.UTF_8);
    }
}
