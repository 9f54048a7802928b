import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import java.nio.charset.StandardCharsets;

/** Writes benchmarks/race/alert.avsc, framed. Only alerts get here. */
final class Alert {
    private final ByteBuffer out = ByteBuffer.allocate(4096);

    byte[] write(Transaction transaction, double score, Job job, RecordMetadata where) {
        out.clear();
        out.put((byte) 0).putInt(Race.ALERT_SCHEMA_ID);
        text(transaction.bytes, transaction.idAt, transaction.idLength);
        text(transaction.bytes, transaction.accountAt, transaction.accountLength);
        number(transaction.eventTime);
        real(score);
        real(job.threshold);
        text(job.modelVersion, 0, job.modelVersion.length);
        number(transaction.amountMinor);
        text(transaction.bytes, transaction.currencyAt, 3);
        number(transaction.channel);
        byte[] topic = where.topic().getBytes(StandardCharsets.UTF_8);
        text(topic, 0, topic.length);
        number(where.partition());
        number(where.offset());
        return Arrays.copyOf(out.array(), out.position());
    }

    private void text(byte[] from, int at, int length) {
        number(length);
        out.put(from, at, length);
    }

    private void real(double value) {
        out.putLong(Long.reverseBytes(Double.doubleToRawLongBits(value)));
    }

    private void number(long value) {
        long raw = value << 1 ^ value >> 63;
        while ((raw & ~0x7FL) != 0) {
            out.put((byte) (raw & 0x7F | 0x80));
            raw >>>= 7;
        }
        out.put((byte) raw);
    }
}
