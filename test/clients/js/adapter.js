// Does for the suite what kafkajs can do. The commands are those of the Go adapter: see go/main.go.
'use strict'

const fs = require('node:fs')
const readline = require('node:readline')
const { createRequire } = require('node:module')

// The libraries are installed in the suite's cache, which the second argument names, and not beside this file.
const [broker, modules] = process.argv.slice(2)
const load = createRequire(modules + '/')
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = load('kafkajs')
const lz4 = load('lz4-napi')
const zstd = load('@bokuweb/zstd-wasm')

const commandLimitMs = 60_000
const batchBytes = 200_000

CompressionCodecs[CompressionTypes.Snappy] = load('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const kafka = new Kafka({ clientId: 'suite', brokers: [broker], logLevel: logLevel.NOTHING })

const commands = {
  async produce(topic, codec, mode, file) {
    const producer = kafka.producer({ idempotent: mode === 'idempotent', maxInFlightRequests: 1, createPartitioner: () => () => 0 })
    await producer.connect()
    try {
      for (const messages of batches(file)) {
        await producer.send({ topic, messages, acks: -1, compression: codecs[codec] })
      }
    } finally {
      await producer.disconnect()
    }
  },

  // kafkajs reads only in groups: this one is used once.
  async consume(topic, count, file) {
    await take(topic, `reader-${process.pid}-${topic}`, Number(count), file)
  },

  async group(topic, group, count, file) {
    await take(topic, group, Number(count), file)
  },
}

// batches splits a file of records into what one request carries.
function* batches(file) {
  let messages = []
  let bytes = 0
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue
    const r = JSON.parse(line)
    messages.push({ key: decoded(r.k), value: decoded(r.v), headers: toHeaders(r.h), timestamp: String(r.t), partition: 0 })
    bytes += line.length
    if (bytes >= batchBytes) {
      yield messages
      messages = []
      bytes = 0
    }
  }
  if (messages.length > 0) yield messages
}

// take writes down exactly count records of the group and commits the offset behind the last.
async function take(topic, groupId, count, file) {
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200, retry: { retries: 3 } })
  const lines = []
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`only ${lines.length} of ${count} records came in time`)), commandLimitMs)
      consumer.on(consumer.events.CRASH, e => reject(e.payload.error))
      consumer
        .run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          eachBatch: async ({ batch }) => {
            for (const m of batch.messages) {
              if (lines.length === count) return
              lines.push(JSON.stringify({ k: encoded(m.key), v: encoded(m.value), h: fromHeaders(m.headers), t: Number(m.timestamp), o: Number(m.offset) }))
              if (lines.length === count) {
                await consumer.commitOffsets([{ topic, partition: 0, offset: String(Number(m.offset) + 1) }])
                clearTimeout(limit)
                resolve()
                return
              }
            }
            consumer.seek({ topic, partition: 0, offset: String(Number(batch.lastOffset()) + 1) })
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect() // leaves the group
  }
  fs.writeFileSync(file, lines.join('\n') + '\n')
}

// kafkajs keeps headers in an object: a name that comes twice has a list.
function toHeaders(list) {
  const headers = {}
  for (const { n, v } of list || []) {
    headers[n] = n in headers ? [].concat(headers[n], [decoded(v)]) : decoded(v)
  }
  return headers
}

function fromHeaders(headers) {
  const list = []
  for (const [n, values] of Object.entries(headers || {})) {
    for (const v of Array.isArray(values) ? values : [values]) list.push({ n, v: encoded(v) })
  }
  return list
}

const encoded = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
const decoded = text => (text === null || text === undefined ? null : Buffer.from(text, 'base64'))

async function main() {
  await zstd.init()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...args] = line.split(' ')
    let answer = 'ok'
    try {
      await commands[name](...args)
    } catch (e) {
      answer = 'error ' + String(e && e.stack ? e.stack : e).replaceAll('\n', ' ')
    }
    process.stdout.write(answer + '\n')
  }
  process.exit(0)
}

main()
