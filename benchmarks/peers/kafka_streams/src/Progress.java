import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** How far it is, where the race reads it without asking: records done, and whether they count (0 while warming up, 1 after). */
final class Progress {
    private final MappedByteBuffer file;
    private long done;

    Progress(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            file = channel.map(FileChannel.MapMode.READ_WRITE, 0, 16);
        }
        file.order(ByteOrder.LITTLE_ENDIAN);
    }

    /** One stream thread calls it. */
    void add() {
        file.putLong(0, ++done);
    }

    void begin(boolean counts) {
        done = 0;
        file.putLong(0, 0L);
        file.putLong(8, counts ? 1L : 0L);
    }

    long done() {
        return file.getLong(0);
    }
}
