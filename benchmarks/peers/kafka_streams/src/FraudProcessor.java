import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The job, a record at a time. The state's byte[] is changed in place and put back, so that the changelog has it. */
final class FraudProcessor implements Processor<byte[], byte[], byte[], byte[]> {
    private final Job job;
    private final Progress progress;
    private final Transaction transaction = new Transaction();
    private final Alert alert = new Alert();
    private final long[] row = new long[Account.FEATURES];
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> accounts;

    FraudProcessor(Job job, Progress progress) {
        this.job = job;
        this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        this.accounts = context.getStateStore(Race.STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        Transaction transaction = this.transaction;
        transaction.read(record.value(), Race.TRANSACTION_SCHEMA_ID);
        long amount = job.toBase(transaction.amountMinor, Job.place(transaction.bytes, transaction.currencyAt));
        byte[] account = accounts.get(record.key());
        if (account == null) {
            account = Account.fresh();
        }
        Account.describe(account, transaction.eventTime, amount, transaction.credit, row);
        double score = job.forest.score(row);
        Account.fold(account, transaction.eventTime, amount, transaction.credit);
        accounts.put(record.key(), account);
        if (score >= job.threshold) {
            context.forward(record.withValue(alert.write(transaction, score, job, context.recordMetadata().orElseThrow())));
        }
        progress.add();
    }
}
