"""Does for the suite what kafka-python can do. The commands are those of the Go adapter: see go/main.go."""

import base64
import json
import sys
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

COMMAND_LIMIT_S = 60


def produce(broker, topic, codec, mode, file):
    idempotent = mode == "idempotent"
    producer = KafkaProducer(
        bootstrap_servers=broker,
        compression_type=None if codec == "none" else codec,
        enable_idempotence=idempotent,
        max_in_flight_requests_per_connection=5 if idempotent else 1,
        acks="all",
        linger_ms=20,
        batch_size=200_000,
    )
    try:
        sent = []
        with open(file, encoding="utf-8") as records:
            for line in records:
                r = json.loads(line)
                headers = [(h["n"], decoded(h["v"])) for h in r["h"] or []]
                sent.append(producer.send(topic, partition=0, key=decoded(r["k"]), value=decoded(r["v"]), headers=headers, timestamp_ms=r["t"]))
        producer.flush(COMMAND_LIMIT_S)
        for future in sent:
            future.get(COMMAND_LIMIT_S)
    finally:
        producer.close()


def consume(broker, topic, count, file):
    consumer = KafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        take(consumer, int(count), file)
    finally:
        consumer.close()


def group(broker, topic, name, count, file):
    consumer = KafkaConsumer(topic, bootstrap_servers=broker, group_id=name, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        following = take(consumer, int(count), file)
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(following, "", -1)})
    finally:
        consumer.close()


def take(consumer, count, file):
    """Writes down exactly count records and returns the offset behind the last."""
    deadline = time.monotonic() + COMMAND_LIMIT_S
    taken, following = 0, -1
    with open(file, "w", encoding="utf-8") as out:
        while taken < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {taken} of {count} records came in time")
            for records in consumer.poll(timeout_ms=500, max_records=count - taken).values():
                for r in records:
                    headers = [{"n": name, "v": encoded(value)} for name, value in r.headers or []]
                    out.write(json.dumps({"k": encoded(r.key), "v": encoded(r.value), "h": headers, "t": r.timestamp, "o": r.offset}) + "\n")
                    taken, following = taken + 1, r.offset + 1
    return following


def encoded(data):
    return None if data is None else base64.b64encode(data).decode("ascii")


def decoded(text):
    return None if text is None else base64.b64decode(text)


def main():
    broker = sys.argv[1]
    commands = {"produce": produce, "consume": consume, "group": group}
    for line in sys.stdin:
        name, *args = line.split()
        try:
            commands[name](broker, *args)
            answer = "ok"
        except Exception as e:  # whatever it is, the suite is to see it
            answer = "error " + repr(e).replace("\n", " ")
        print(answer, flush=True)


main()
