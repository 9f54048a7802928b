import java.nio.ByteBuffer;

/**
 * The isolation forest: complete trees, node i has its children at 2i + 1 and 2i + 2, a row goes right where x > threshold.
 *
 * <p>Floats are compared as integers of the same order, so that a step has no branch to mispredict; a node is one long, the
 * threshold above and the feature below; and four trees are walked side by side, so that their memory reads overlap.
 */
final class Forest {
    static final int STEP = 4;

    final int features;
    private final int trees;
    private final int depth;
    private final int inner;
    private final long[] nodes;
    private final float[] leaf;
    private final double exponent;

    Forest(ByteBuffer in) {
        trees = in.getInt();
        depth = in.getInt();
        features = in.getInt();
        double normaliser = in.getDouble();
        inner = (1 << depth) - 1;
        if (trees % STEP != 0) {
            throw new IllegalArgumentException(trees + " trees: not a multiple of " + STEP);
        }
        byte[] feature = new byte[trees * inner];
        in.get(feature);
        nodes = new long[trees * inner];
        for (int i = 0; i < nodes.length; i++) {
            nodes[i] = ordered(in.getFloat() + 0.0f) << 32 | feature[i] & 0xFF;
        }
        leaf = new float[trees * (inner + 1)];
        for (int i = 0; i < leaf.length; i++) {
            leaf[i] = in.getFloat();
        }
        exponent = -1.0 / (trees * normaliser);
    }

    /** An integer in the order of the float; -0 must not come in. */
    static long ordered(float value) {
        int bits = Float.floatToRawIntBits(value);
        return bits ^ (bits >> 31 & 0x7FFFFFFF);
    }

    /** 0 to 1, higher is stranger; `row` holds `ordered` floats. */
    double score(long[] row) {
        final long[] nodes = this.nodes;
        final float[] leaf = this.leaf;
        final int inner = this.inner, depth = this.depth;
        double path = 0.0;
        for (int tree = 0, base = 0, leaves = -inner; tree < trees; tree += STEP, base += STEP * inner, leaves += STEP * (inner + 1)) {
            final int base1 = base + inner, base2 = base1 + inner, base3 = base2 + inner;
            int a = 0, b = 0, c = 0, d = 0;
            for (int level = 0; level < depth; level++) {
                long p = nodes[base + a], q = nodes[base1 + b], r = nodes[base2 + c], s = nodes[base3 + d];
                a = 2 * a + 1 + (int) ((p >> 32) - row[(int) p & 0xFF] >>> 63);
                b = 2 * b + 1 + (int) ((q >> 32) - row[(int) q & 0xFF] >>> 63);
                c = 2 * c + 1 + (int) ((r >> 32) - row[(int) r & 0xFF] >>> 63);
                d = 2 * d + 1 + (int) ((s >> 32) - row[(int) s & 0xFF] >>> 63);
            }
            path += leaf[leaves + a];
            path += leaf[leaves + inner + 1 + b];
            path += leaf[leaves + 2 * (inner + 1) + c];
            path += leaf[leaves + 3 * (inner + 1) + d];
        }
        return Math.pow(2.0, path * exponent);
    }
}
