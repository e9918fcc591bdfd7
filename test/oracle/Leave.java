// What Kafka's own client leaves in a Kafka for Barnabas to take over. Run as a source file: java -cp tools Leave.java host:port
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.*;

public class Leave {
    public static void main(String[] args) throws Exception {
        Map<String, Object> base = Map.of("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(base)) {
            topics(admin);
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd"))
                produce(base, codec);
            transactions(base);
            committedOffsets(base);
            admin.deleteTopics(List.of("deleted")).all().get();
            admin.deleteRecords(Map.of(new TopicPartition("left-gzip", 0), RecordsToDelete.beforeOffset(20))).all().get();
            security(admin);
        }
        System.out.println("left");
    }

    static void topics(Admin admin) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd"))
            topics.add(new NewTopic("left-" + codec, 2, (short) 1).configs(Map.of("segment.bytes", "1048576")));
        topics.add(new NewTopic("left-transactions", 1, (short) 1));
        topics.add(new NewTopic("left-compacted", 3, (short) 1).configs(Map.of(
            "cleanup.policy", "compact", "retention.ms", "123456", "min.cleanable.dirty.ratio", "0.3")));
        topics.add(new NewTopic("left-empty", 1, (short) 1));
        topics.add(new NewTopic("deleted", 1, (short) 1));
        admin.createTopics(topics).all().get();
        admin.createPartitions(Map.of("left-empty", NewPartitions.increaseTo(4))).all().get();
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "left-none");
        ConfigResource brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
        admin.incrementalAlterConfigs(Map.of(
            topic, List.of(new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET)),
            brokers, List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.backoff.ms", "16000"), AlterConfigOp.OpType.SET)))).all().get();
    }

    // Several batches and segments of each codec, with keys, nulls, headers and fixed timestamps.
    static void produce(Map<String, Object> base, String codec) throws Exception {
        Map<String, Object> settings = new HashMap<>(base);
        settings.putAll(Map.of("compression.type", codec, "linger.ms", 20, "enable.idempotence", !codec.equals("snappy")));
        // An idempotent producer of old timestamps is forgotten at a restart, so only the other one writes such.
        long start = codec.equals("snappy") ? 1_700_000_000_000L : System.currentTimeMillis();
        byte[] noise = new byte[40_000];
        Random random = new Random(7);
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int i = 0; i < 120; i++) {
                random.nextBytes(noise);
                byte[] key = i % 7 == 0 ? null : ("key " + i % 10).getBytes();
                byte[] value = i % 11 == 0 ? null : i % 3 == 0 ? noise.clone() : ("value " + i).getBytes();
                ProducerRecord<byte[], byte[]> record = new ProducerRecord<>("left-" + codec, i % 2, start + i, key, value);
                if (i % 5 == 0)
                    record.headers().add("n", ("" + i).getBytes()).add("null", null);
                producer.send(record);
                if (i % 13 == 0)
                    producer.flush();
                if (codec.equals("zstd") && key != null)
                    producer.send(new ProducerRecord<>("left-compacted", i % 3, key, value == null ? null : ("v" + i).getBytes()));
            }
        }
    }

    static void transactions(Map<String, Object> base) throws Exception {
        Map<String, Object> settings = new HashMap<>(base);
        settings.put("transactional.id", "left");
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            for (int i = 0; i < 6; i++) {
                producer.beginTransaction();
                for (int j = 0; j < 3; j++)
                    producer.send(new ProducerRecord<>("left-transactions", ("t" + i).getBytes(), ("r" + j).getBytes()));
                producer.flush();
                if (i % 2 == 0) {
                    producer.sendOffsetsToTransaction(Map.of(new TopicPartition("left-none", 1), new OffsetAndMetadata(10 + i)), new ConsumerGroupMetadata("left-transactional"));
                    producer.commitTransaction();
                } else
                    producer.abortTransaction();
            }
        }
    }

    static void committedOffsets(Map<String, Object> base) throws Exception {
        for (String protocol : List.of("classic", "consumer")) {
            Map<String, Object> settings = new HashMap<>(base);
            settings.putAll(Map.of("group.id", "left-" + protocol, "group.protocol", protocol, "auto.offset.reset", "earliest", "enable.auto.commit", false));
            try (Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer.subscribe(List.of("left-none", "left-zstd"));
                int seen = 0;
                while (seen < 240)
                    seen += consumer.poll(java.time.Duration.ofSeconds(1)).count();
                consumer.commitSync(Map.of(
                    new TopicPartition("left-none", 0), new OffsetAndMetadata(7, Optional.of(0), "seven"),
                    new TopicPartition("left-zstd", 1), new OffsetAndMetadata(60)));
            }
        }
    }

    // Records of kinds that Barnabas does not act on yet, and must keep.
    static void security(Admin admin) throws Exception {
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("user", "alice")),
            List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 12345.0))))).all().get();
        admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "left-none", PatternType.LITERAL),
            new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all().get();
    }
}
