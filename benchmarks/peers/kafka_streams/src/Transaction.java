/** Reads schemas/transaction.avsc in place: positions of strings, not copies; what comes after `channel` the job does not need. */
final class Transaction {
    private static final int HEADER = 5;

    byte[] bytes;
    int idAt, idLength, accountAt, accountLength, currencyAt;
    long eventTime, amountMinor;
    boolean credit;
    int channel;
    private int at;

    void read(byte[] value, int schemaId) {
        if (value[0] != 0) {
            throw new IllegalArgumentException("no Confluent frame");
        }
        int id = (value[1] & 0xFF) << 24 | (value[2] & 0xFF) << 16 | (value[3] & 0xFF) << 8 | value[4] & 0xFF;
        if (id != schemaId) {
            throw new IllegalArgumentException("schema id " + id);
        }
        bytes = value;
        at = HEADER;
        idLength = (int) number();
        idAt = at;
        at += idLength;
        accountLength = (int) number();
        accountAt = at;
        at += accountLength;
        eventTime = number();
        amountMinor = number();
        if (number() != 3) {
            throw new IllegalArgumentException("currency: not three letters");
        }
        currencyAt = at;
        at += 3;
        credit = number() == 1;
        channel = (int) number();
    }

    private long number() {
        long raw = 0;
        int shift = 0;
        byte b;
        do {
            b = bytes[at++];
            raw |= (long) (b & 0x7F) << shift;
            shift += 7;
        } while (b < 0);
        return raw >>> 1 ^ -(raw & 1);
    }
}
