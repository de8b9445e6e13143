import { createServer as createHttp } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { batchOf } from '../../src/core/batch.ts'
import { MerganserError } from '../../src/core/errors.ts'
import { keyOf, stampOf, takeApart, textOf } from '../../src/connectors/documents/bson-reader.ts'
import { layoutOf } from '../../src/connectors/documents/layout.ts'
import { BatchJoiner } from '../../src/connectors/embedded-documents/batch-joiner.ts'
import { fault } from '../../src/connectors/embedded-documents/faults.ts'
import { ChannelError, type Channel } from '../../src/connectors/hive/client/channel.ts'
import { connect } from '../../src/connectors/hive/client/connect.ts'
import { MessageEnd } from '../../src/connectors/hive/client/message-end.ts'
import { HiveFault } from '../../src/connectors/hive/client/faults.ts'
import { Protocol } from '../../src/connectors/hive/client/protocol.ts'
import { parseHiveUrl } from '../../src/connectors/hive/url.ts'
import { upload } from '../../src/connectors/hive/webhdfs.ts'
import { mongodb } from '../../src/connectors/mongodb/connector.ts'
import { DocumentRows } from '../../src/connectors/mongodb/document-rows.ts'
import { noRow, rowOf, valueOf } from '../../src/connectors/mongodb/read.ts'
import { Draws } from '../core/random.ts'
import { canonical } from '../core/values.ts'
import { EVERYTHING } from '../script/support.ts'
import { corpus, fuzz, mutated, recordFed, type Fed } from './support/fuzz.ts'
import { within } from '../support/within.ts'

// Many runs take their time, and so does a busy machine: a hang is seen by other means.
vi.setConfig({ testTimeout: 3_600_000 })

/*
 * Mutated replies for whoever reads what a server sends: the client of HiveServer2 (its own reader of messages and the
 * decoder of the library behind it, over sockets and HTTP), WebHDFS, the driver of MongoDB, and the readers of documents.
 * Each ends in a coded error or a result within its time limit.
 */

const fed: Fed[] = []
const servers: { close(): unknown }[] = []
const directory = await mkdtemp(join(tmpdir(), 'merganser-wire-'))
afterAll(async () => {
  recordFed('random and mutated input: answers of servers (Thrift, BSON, HTTP)', fed)
  for (const server of servers) server.close()
  await rm(directory, { recursive: true, force: true })
})

const REPLIES = corpus('.thrift')
/** Those of the input that is being fed, for who answers it. */
let draws = new Draws(1)
const NUMBERS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x40000000, 100_000_000].map((value) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
})
const THRIFT = [
  ...NUMBERS,
  ...[11, 12, 13, 14, 15, 2, 8, 10, 0].map((type) => Buffer.of(type)),
  Buffer.of(15, 0, 1, 12),
  Buffer.of(13, 11, 11),
]

/** Errors of the layer below a connector, which it turns into coded ones. */
const expected = (error: unknown) => error instanceof ChannelError || error instanceof HiveFault

const CALLS = [
  'OpenSession',
  'GetInfo',
  'ExecuteStatement',
  'GetOperationStatus',
  'CloseOperation',
  'CloseSession',
] as const

test('I8: a mutated message of Thrift is read or refused, by the search for its end and by its reader', async () => {
  let reply = Buffer.alloc(0)
  const numbered = (question: Buffer) => {
    const at = 8 + question.readInt32BE(4)
    // The number of the question, which is mostly right.
    if (reply.length >= at + 4 && draws.below(50) > 0) question.copy(reply, at, at, at + 4)
    return Promise.resolve(reply)
  }
  const channel: Channel = { lost: false, exchange: numbered, destroy: () => undefined }
  let protocol = new Protocol(channel)
  const identifier = { guid: Buffer.alloc(16), secret: Buffer.alloc(16) }
  const operation = {
    sessionHandle: { sessionId: identifier },
    statement: 'select 1',
    infoType: 18,
    client_protocol: 9,
    operationHandle: { operationId: identifier, operationType: 0, hasResultSet: true },
  }
  const one = await fuzz({
    name: 'messages of Thrift',
    inputs: { ci: 60_000, nightly: 3_000_000 },
    feed: async (now) => {
      draws = now
      const original = draws.of(REPLIES)
      reply = Buffer.from(mutated(draws, original, THRIFT, 3))
      try {
        new MessageEnd().find(reply)
      } catch (error) {
        if (!(error instanceof ChannelError) && !(error instanceof RangeError)) throw error
      }
      const name = original.toString('latin1', 8, 8 + original.readInt32BE(4))
      try {
        if (name === 'FetchResults') {
          const { columns } = await protocol.fetch({ ...operation, orientation: 0, maxRows: 1n } as never, 1000)
          for (const { values } of columns) values.slice(0, 3)
        } else
          await protocol.call(
            CALLS.find((call) => call === name)!,
            operation,
            1000,
          )
        return true
      } catch (error) {
        if (!expected(error)) throw error
        // The connection is gone with it.
        if (error instanceof ChannelError) protocol = new Protocol(channel)
        return false
      }
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(0)
})

const LAYOUT = layoutOf(EVERYTHING)
/** Documents as the connector writes them. */
const DOCUMENTS = (() => {
  const some = new Draws(7)
  return Array.from({ length: 40 }, () => {
    const stamp = '2026-11-22 15:11:21.956711651Z@HIVE'
    const row = {
      key: EVERYTHING.key.map(({ type }) => canonical(some, type)),
      cells: EVERYTHING.values.map(({ type }) =>
        some.below(3) === 0 ? null : { value: canonical(some, type), stamp },
      ),
      deleted: some.below(2) === 0 ? stamp : null,
    }
    const joined = new BatchJoiner(LAYOUT, batchOf(EVERYTHING, [row])).join(0, undefined)
    return joined.outcome === 'changed' ? Buffer.from(joined.document) : Buffer.alloc(0)
  }).filter((document) => document.length > 0)
})()
const BSON = [
  ...NUMBERS,
  ...[1, 2, 3, 4, 5, 8, 9, 10, 16, 18, 19, 0, 255].map((type) => Buffer.of(type)),
  Buffer.from('_id\0'),
  Buffer.from('stamps\0'),
]

test('I8: a mutated document is a row or refused, in the embedded database and by the connector of MongoDB', async () => {
  const one = await fuzz({
    name: 'documents in BSON',
    inputs: { ci: 60_000, nightly: 3_000_000 },
    feed: (now) => {
      const bytes = Buffer.from(mutated(now, now.of(DOCUMENTS), BSON, 3))
      if (bytes.length >= 4 && now.below(2) === 0) bytes.writeInt32LE(bytes.length)
      // The driver cuts documents by their length, LMDB by that of its value.
      let read = 0
      for (const take of [embeddedRow, serverRow]) {
        try {
          take(bytes)
          read++
        } catch (error) {
          if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
        }
      }
      return read > 0
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(0)
})

function embeddedRow(bytes: Buffer): void {
  try {
    const document = takeApart(LAYOUT, bytes)
    keyOf(LAYOUT, document)
    for (const [c, { column }] of LAYOUT.values.entries()) {
      textOf(column.type, bytes, document.values[c])
      if (document.stamps[c] !== undefined) stampOf(bytes, document.stamps[c])
    }
  } catch (error) {
    throw fault(error, 'MONGODB')
  }
}

function serverRow(bytes: Buffer): void {
  rowOf({ schema: EVERYTHING, layout: LAYOUT } as Parameters<typeof rowOf>[0], bytes)
  try {
    new DocumentRows(LAYOUT, valueOf).push(bytes)
  } catch (error) {
    throw noRow(EVERYTHING, error)
  }
}

/** A server that answers everything that it is sent with what `answer` gives, over sockets. */
async function answering(answer: (socket: Socket, bytes: Buffer) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      answer(socket, bytes)
    })
  })
  return await listening(server)
}

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

/** The answers of one connection, in their order; the last one again and again. */
const REPLY_ORDER = [0, 1, 2, 3, 4, 5, 6, 9]

let replies = 0

function nextReply(): Buffer {
  const reply = REPLIES[REPLY_ORDER[Math.min(replies++, REPLY_ORDER.length - 1)]!]!
  // Mostly one of them is changed, so that what comes behind a good beginning is met as well.
  return draws.below(4) === 0 ? mutated(draws, reply, THRIFT, 2) : reply
}

const TIMES = 'connectSeconds=0.3&answerSeconds=0.3&statementSeconds=0.5&cancelSeconds=0.2'

async function session(url: string): Promise<boolean> {
  replies = 0
  const connection = await connect(parseHiveUrl(url), 'HIVE')
  try {
    for await (const { rows } of connection.query('select 1')) if (rows > 1e6) return false
    return true
  } finally {
    await connection.close()
  }
}

/** No client may hold on to a connection beyond its limits, whatever comes. */
const feedWithin = (milliseconds: number, work: () => Promise<boolean>) => within(milliseconds, 'a connection', work)

test('I8: the client of Hive, over sockets and HTTP, ends on mutated answers with a code and in time', async () => {
  const plain = await answering((socket) => {
    socket.write(nextReply())
    if (draws.below(16) === 0) socket.end()
  })
  const sasl = await answering((socket, bytes) => {
    // The hello, then messages with their lengths before them.
    if (bytes[0] === 1) {
      const good = Buffer.of(5, 0, 0, 0, 0)
      socket.write(draws.below(3) === 0 ? mutated(draws, good, THRIFT, 2) : good)
    } else if (bytes.length > 4) {
      const reply = nextReply()
      const length = Buffer.alloc(4)
      length.writeUInt32BE(draws.below(20) === 0 ? draws.below(0xffffffff) : reply.length)
      socket.write(Buffer.concat([length, reply]))
    }
  })
  const http = await listening(
    createHttp((request, response) => {
      request.resume()
      request.on('end', () => {
        const type = draws.below(12) === 0 ? 'text/html' : 'application/x-thrift'
        response.writeHead(draws.below(12) === 0 ? draws.of([100, 204, 301, 404, 401, 503]) : 200, {
          'Content-Type': type,
          'Set-Cookie': `a=${String(draws.below(100))}; b`,
        })
        const reply = nextReply()
        response.write(reply.subarray(0, 10))
        if (draws.below(12) === 0) request.socket.destroy()
        else response.end(reply.subarray(10))
      })
    }),
  )
  const urls = [
    `hive://hive@127.0.0.1:${String(plain)}/default?auth=nosasl&${TIMES}`,
    `hive://hive@127.0.0.1:${String(sasl)}/default?auth=none&${TIMES}`,
    `hive://hive@127.0.0.1:${String(http)}/default?auth=none&transport=http&${TIMES}`,
  ]
  const one = await fuzz({
    name: 'connections of the client of Hive',
    inputs: { ci: 450, nightly: 20_000 },
    feed: async (now) => {
      draws = now
      return await feedWithin(10_000, () => session(now.of(urls)))
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(0)
})

test('I8: an upload to WebHDFS ends on mutated answers with a code and in time', async () => {
  const locations = [
    '',
    'http://127.0.0.1:1/',
    '/x',
    'file:///etc/passwd',
    'ftp://h/',
    'http://[',
    '//',
    'http://127.0.0.1:99999/',
    '\u00e9',
  ]
  let port = 0
  port = await answering((socket) => {
    const location = draws.below(3) === 0 ? draws.of(locations) : `http://127.0.0.1:${String(port)}/to`
    const good = [
      `HTTP/1.1 307 Temporary Redirect\r\nLocation: ${location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    ][replies++ % 2]!
    const answer = Buffer.from(good, 'latin1')
    const pieces = [
      '\r\n',
      ':',
      'HTTP/1.1 ',
      'Content-Length: 99\r\n',
      'Transfer-Encoding: chunked\r\n',
      '\0',
      '307 ',
    ].map((piece) => Buffer.from(piece))
    socket.write(draws.below(2) === 0 ? mutated(draws, answer, pieces, 2) : answer)
    if (draws.below(4) === 0) socket.destroy()
  })
  const file = join(directory, 'rows')
  await writeFile(file, 'rows')
  const one = await fuzz({
    name: 'uploads to WebHDFS',
    inputs: { ci: 300, nightly: 10_000 },
    feed: async (now) => {
      draws = now
      replies = 0
      const url = new URL(`http://127.0.0.1:${String(port)}/webhdfs/v1/tmp/x?op=CREATE`)
      return await feedWithin(5000, () => upload(url, file, 150).then(() => true))
    },
  })
  fed.push(one)
  expect(one.accepted).toBeGreaterThan(0)
})

test('I8: a server that answers MongoDB\u2019s driver with mutated bytes is refused with a code and in time', async () => {
  const { serialize } = await import('bson')
  const hello = {
    ismaster: true,
    isWritablePrimary: true,
    maxBsonObjectSize: 16777216,
    maxMessageSizeBytes: 48000000,
    maxWriteBatchSize: 100000,
    minWireVersion: 0,
    maxWireVersion: 21,
    ok: 1,
  }
  const port = await answering((socket, bytes) => {
    if (bytes.length < 16) return
    const good = Buffer.from(serialize(hello))
    const body = Buffer.from(draws.below(4) === 0 ? good : mutated(draws, good, BSON, 2))
    // The driver itself goes on for ever over a document whose length is negative.
    if (body.length >= 4) body.writeInt32LE(body.length)
    const old = bytes.readInt32LE(12) === 2004
    const head = Buffer.alloc(old ? 36 : 21)
    head.writeInt32LE(head.length + body.length)
    head.writeInt32LE(bytes.readInt32LE(4), 8)
    head.writeInt32LE(old ? 1 : 2013, 12)
    if (old) head.writeInt32LE(1, 32)
    socket.write(Buffer.concat([head, body]))
    if (draws.below(16) === 0) socket.destroy()
  })
  const one = await fuzz({
    name: 'connections of the driver of MongoDB',
    inputs: { ci: 40, nightly: 2000 },
    feed: async (now) => {
      draws = now
      const options = {
        url: `mongodb://127.0.0.1:${String(port)}/x?directConnection=true&heartbeatFrequencyMS=500`,
        connectSeconds: 1,
        statementSeconds: 1,
      }
      return await feedWithin(8_000, async () => {
        const store = await mongodb.open(mongodb.options(options), {
          access: 'read',
          directory: 'unused',
          replica: 'MONGODB',
        })
        await store.close()
        return true
      })
    },
  })
  fed.push(one)
})
