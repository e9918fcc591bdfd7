import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Does for the suite what Kafka's Java client can do. The commands are those of the Go adapter: see go/main.go. */
public final class Adapter {
    private static final long COMMAND_LIMIT_MS = 60_000;
    private static final String BYTES = "org.apache.kafka.common.serialization.ByteArray";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String broker;

    private Adapter(String broker) {
        this.broker = broker;
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err); // whatever a library prints is no answer
        Adapter adapter = new Adapter(args[0]);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = commands.readLine()) != null; ) {
            try {
                adapter.run(line.split(" "));
                answers.println("ok");
            } catch (Exception e) {
                answers.println("error " + e.toString().replace('\n', ' '));
            }
            answers.flush();
        }
    }

    private void run(String[] args) throws Exception {
        switch (args[0]) {
            case "produce" -> produce(args[1], args[2], args[3].equals("idempotent"), Path.of(args[4]));
            case "consume" -> consume(args[1], Integer.parseInt(args[2]), Path.of(args[3]));
            case "group" -> group(args[1], args[2], Integer.parseInt(args[3]), Path.of(args[4]));
            default -> throw new IllegalArgumentException("no such command: " + args[0]);
        }
    }

    private void produce(String topic, String codec, boolean idempotent, Path file) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", broker);
        p.put("key.serializer", BYTES + "Serializer");
        p.put("value.serializer", BYTES + "Serializer");
        p.put("compression.type", codec);
        p.put("enable.idempotence", String.valueOf(idempotent));
        if (!idempotent) {
            p.put("max.in.flight.requests.per.connection", "1"); // else retries may change the order
        }
        p.put("acks", "all");
        p.put("linger.ms", "20");
        p.put("batch.size", "200000");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p);
                BufferedReader records = Files.newBufferedReader(file)) {
            for (String line; (line = records.readLine()) != null; ) {
                JsonNode r = JSON.readTree(line);
                sent.add(producer.send(new ProducerRecord<>(topic, 0, r.get("t").asLong(), bytes(r.get("k")), bytes(r.get("v")), headers(r.get("h")))));
            }
            producer.flush();
        }
        for (Future<RecordMetadata> f : sent) {
            f.get();
        }
    }

    private void consume(String topic, int count, Path file) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(consumer("", count))) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            take(consumer, count, file);
        }
    }

    private void group(String topic, String group, int count, Path file) throws Exception {
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(consumer(group, count))) {
            consumer.subscribe(List.of(topic));
            long next = take(consumer, count, file);
            consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(next)));
        }
    }

    private Properties consumer(String group, int count) {
        Properties p = new Properties();
        p.put("bootstrap.servers", broker);
        p.put("key.deserializer", BYTES + "Deserializer");
        p.put("value.deserializer", BYTES + "Deserializer");
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("max.poll.records", String.valueOf(count));
        if (!group.isEmpty()) {
            p.put("group.id", group);
            p.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        }
        return p;
    }

    /** Writes down exactly count records and returns the offset behind the last. */
    private long take(KafkaConsumer<byte[], byte[]> consumer, int count, Path file) throws Exception {
        long deadline = System.currentTimeMillis() + COMMAND_LIMIT_MS;
        long next = -1;
        int taken = 0;
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            while (taken < count) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("only " + taken + " of " + count + " records came in time");
                }
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(500))) {
                    if (taken == count) {
                        break;
                    }
                    out.write(JSON.writeValueAsString(json(r)));
                    out.newLine();
                    next = r.offset() + 1;
                    taken++;
                }
            }
        }
        return next;
    }

    private static ObjectNode json(ConsumerRecord<byte[], byte[]> r) {
        ObjectNode n = JSON.createObjectNode();
        n.put("k", r.key());
        n.put("v", r.value());
        ArrayNode headers = n.putArray("h");
        for (Header h : r.headers()) {
            ObjectNode header = headers.addObject();
            header.put("n", h.key());
            header.put("v", h.value());
        }
        n.put("t", r.timestamp());
        n.put("o", r.offset());
        return n;
    }

    private static byte[] bytes(JsonNode n) throws Exception {
        return n == null || n.isNull() ? null : n.binaryValue();
    }

    private static Headers headers(JsonNode list) throws Exception {
        Headers headers = new RecordHeaders();
        if (list != null) {
            for (JsonNode h : list) {
                headers.add(new RecordHeader(h.get("n").asText(), bytes(h.get("v"))));
            }
        }
        return headers;
    }
}
