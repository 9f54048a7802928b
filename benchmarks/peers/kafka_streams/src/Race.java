import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in Kafka Streams' Processor API.
 *
 * <p>Arguments: brokers, guarantee (at_least_once, exactly_once_v2), application id, topic in, topic of alerts, topic of alerts while warming
 * up, job file, progress file, topic in while warming up, records in it, seconds of warm-up, caching (true, false).
 */
public final class Race {
    static final String STORE = "accounts";
    static final int TRANSACTION_SCHEMA_ID = 1;
    static final int ALERT_SCHEMA_ID = 5;
    private static final Duration CLOSE = Duration.ofSeconds(60);

    private final String[] args;
    private final Job job;
    private final Progress progress;
    private final Path stateDir;

    private Race(String[] args) throws Exception {
        this.args = args;
        this.job = new Job(Path.of(args[6]));
        this.progress = new Progress(Path.of(args[7]));
        this.stateDir = Files.createTempDirectory(Path.of(args[7]).toAbsolutePath().getParent(), "state-");
    }

    public static void main(String[] args) throws Exception {
        new Race(args).run(Long.parseLong(args[9]), Double.parseDouble(args[10]));
    }

    /** Does the whole job over and over until the warm-up is over, then once more from the start, by fresh state: that one counts. */
    private void run(long records, double warmS) throws Exception {
        long until = System.nanoTime() + (long) (warmS * 1e9);
        for (int lap = 0; System.nanoTime() < until; lap++) {
            progress.begin(false);
            KafkaStreams warming = start(args[2] + "-warm-" + lap, args[8], args[5]);
            while (progress.done() < records && System.nanoTime() < until) {
                Thread.sleep(20);
            }
            warming.close(CLOSE);
            warming.cleanUp();
        }
        System.gc();
        progress.begin(true);
        KafkaStreams streams = start(args[2], args[3], args[4]);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE)));
        Thread.currentThread().join();
    }

    private KafkaStreams start(String applicationId, String transactions, String alerts) {
        KafkaStreams streams = new KafkaStreams(topology(transactions, alerts), settings(applicationId));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(70);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.start();
        return streams;
    }

    private Topology topology(String transactions, String alerts) {
        StoreBuilder<KeyValueStore<byte[], byte[]>> accounts = Stores.keyValueStoreBuilder(
                        HashStore.supplier(STORE), Serdes.ByteArray(), Serdes.ByteArray())
                .withLoggingEnabled(Map.of());
        return new Topology()
                .addSource("transactions", new ByteArrayDeserializer(), new ByteArrayDeserializer(), transactions)
                .addProcessor("job", () -> new FraudProcessor(job, progress), "transactions")
                .addStateStore(Boolean.parseBoolean(args[11]) ? accounts.withCachingEnabled() : accounts.withCachingDisabled(), "job")
                .addSink("alerts", alerts, new ByteArraySerializer(), new ByteArraySerializer(), "job");
    }

    private Properties settings(String applicationId) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[1]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDir.toString());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        if (args[1].equals(StreamsConfig.EXACTLY_ONCE_V2)) {
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100); // its default, said
        }
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.CHECK_CRCS_CONFIG), false);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), Integer.getInteger("race.linger", 100));
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
        settings.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        return settings;
    }
}
