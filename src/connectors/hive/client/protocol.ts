import { createRequire } from 'node:module'
import { ChannelError, type Channel } from './channel.ts'
import type { HiveBlock } from './connection.ts'
import type {
  TCancelOperationReq,
  TCancelOperationResp,
  TCloseOperationReq,
  TCloseOperationResp,
  TCloseSessionReq,
  TCloseSessionResp,
  TExecuteStatementReq,
  TExecuteStatementResp,
  TFetchResultsReq,
  TFetchResultsResp,
  TGetInfoReq,
  TGetInfoResp,
  TGetOperationStatusReq,
  TGetOperationStatusResp,
  TOpenSessionReq,
  TOpenSessionResp,
  TStatus,
} from './generated/hive-protocol_types.js'
import { HiveFault } from './faults.ts'
import { readRows, withoutRows } from './rows.ts'

/** The kind of a message that is an answer, and no exception. */
const REPLY = 2

/** Each call with what is asked and what is answered. */
interface Calls {
  OpenSession: [TOpenSessionReq, TOpenSessionResp]
  CloseSession: [TCloseSessionReq, TCloseSessionResp]
  GetInfo: [TGetInfoReq, TGetInfoResp]
  ExecuteStatement: [TExecuteStatementReq, TExecuteStatementResp]
  GetOperationStatus: [TGetOperationStatusReq, TGetOperationStatusResp]
  CancelOperation: [TCancelOperationReq, TCancelOperationResp]
  CloseOperation: [TCloseOperationReq, TCloseOperationResp]
  FetchResults: [TFetchResultsReq, TFetchResultsResp]
}

/** Of the generated client, what makes a message and reads its answer. It keeps no connection. */
type GeneratedClient = Record<keyof Calls, (request: object) => Promise<unknown>> &
  Record<`recv_${keyof Calls}`, (input: object, type: number, sequence: number) => void>

interface Transport {
  inBuf: Buffer
  readCursor: number
  writeCursor: number
}

interface BinaryProtocol {
  readMessageBegin(): { readonly fname: string; readonly mtype: number; readonly rseqid: number }
}

interface Thrift {
  readonly TBufferedTransport: new (buffer: undefined, flush: (message: Buffer) => void) => Transport
  readonly TBinaryProtocol: new (transport: Transport) => BinaryProtocol
}

/** What a call gives, and the bytes that it was read from. */
interface Answer<T> {
  readonly response: T
  readonly message: Buffer
}

/** The calls of TCLIService over a channel. Rejects with a ChannelError or, for what the server refuses, a HiveFault. */
export class Protocol {
  private readonly thrift: Thrift
  private readonly client: GeneratedClient
  private readonly channel: Channel
  private written: Buffer | undefined

  constructor(channel: Channel) {
    this.channel = channel
    // Generated for CommonJS; loaded with the first connection only.
    const require = createRequire(import.meta.url)
    this.thrift = require('thrift') as Thrift
    const { Client } = require('./generated/TCLIService.js') as {
      Client: new (transport: Transport, protocol: Thrift['TBinaryProtocol']) => GeneratedClient
    }
    const transport = new this.thrift.TBufferedTransport(undefined, (message) => {
      this.written = message
    })
    this.client = new Client(transport, this.thrift.TBinaryProtocol)
  }

  async call<N extends keyof Calls>(name: N, request: Calls[N][0], milliseconds: number): Promise<Calls[N][1]> {
    return (await this.exchange(name, request, milliseconds)).response
  }

  async fetch(request: TFetchResultsReq, milliseconds: number): Promise<HiveBlock> {
    const { message } = await this.exchange('FetchResults', request, milliseconds, (whole) =>
      whole.readUInt8(3) === REPLY ? withoutRows(whole, fieldsStart(whole)) : whole,
    )
    return understood(() => readRows(message, fieldsStart(message)))
  }

  /** Cuts the connection. */
  cut(): void {
    this.channel.destroy()
  }

  /** Once an answer wasn't understood, nothing that comes behind it can be: the connection is cut. */
  private async exchange<N extends keyof Calls>(
    name: N,
    request: Calls[N][0],
    milliseconds: number,
    part?: (message: Buffer) => Buffer,
  ): Promise<Answer<Calls[N][1]>> {
    try {
      return await this.exchanged(name, request, milliseconds, part)
    } catch (error) {
      if (error instanceof ChannelError) this.channel.destroy()
      throw error
    }
  }

  private async exchanged<N extends keyof Calls>(
    name: N,
    request: Calls[N][0],
    milliseconds: number,
    /** What of the message the generated client is to read. */
    part = (message: Buffer): Buffer => message,
  ): Promise<Answer<Calls[N][1]>> {
    const result = this.client[name](request)
    // It is awaited below, but for when the channel fails.
    result.catch(() => undefined)
    const question = this.written
    this.written = undefined
    // A handle that the server gave without its parts, which can't be sent back.
    if (question === undefined) throw new ChannelError('foreign', 'the answer before is no answer of HiveServer2')
    const message = await this.channel.exchange(question, milliseconds)
    understood(() => {
      const transport = new this.thrift.TBufferedTransport(undefined, () => undefined)
      transport.inBuf = part(message)
      transport.writeCursor = transport.inBuf.length
      const input = new this.thrift.TBinaryProtocol(transport)
      const { fname, mtype, rseqid } = input.readMessageBegin()
      if (fname !== name) throw new RangeError('the answer is of another call')
      // The library passes over an answer to a question that it doesn't know, and its own would never come.
      if (rseqid !== sequenceOf(question)) throw new RangeError('the answer is to another question')
      this.client[`recv_${name}`](input, mtype, rseqid)
    })
    let response: Calls[N][1]
    try {
      response = (await result) as Calls[N][1]
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      throw new HiveFault({ sqlState: undefined, code: undefined, text })
    }
    understood(() => {
      checkWhole(name, response)
    })
    check(response.status)
    return { response, message }
  }
}

/** The number of a message: it stands behind the name of the call. */
function sequenceOf(message: Buffer): number {
  return message.readInt32BE(8 + message.readInt32BE(4))
}

/** Behind the header of the message, and that of its only field: the answer, a struct. */
function fieldsStart(message: Buffer): number {
  return 8 + message.readInt32BE(4) + 4 + 3
}

/** What an answer without an error must have beside its status: the types say so, but no server is held to them. */
const NEEDED: Partial<Record<keyof Calls, string>> = {
  OpenSession: 'sessionHandle',
  GetInfo: 'infoValue',
  ExecuteStatement: 'operationHandle',
}

/** Throws RangeError where an answer lacks what its readers rely on. */
function checkWhole(name: keyof Calls, response: { readonly status: TStatus | null }): void {
  const { status } = response
  if (status === null) throw new RangeError('the answer has no status')
  const needed = NEEDED[name]
  if (needed === undefined || !isDone(status)) return
  const part = (response as Readonly<Record<string, unknown>>)[needed]
  if (part === null || part === undefined) throw new RangeError(`the answer has no ${needed}`)
}

const isDone = ({ statusCode }: TStatus): boolean => statusCode === 0 || statusCode === 1 || statusCode === 2

function check(status: TStatus): void {
  if (isDone(status)) return
  const { sqlState, errorCode, errorMessage } = status
  throw new HiveFault({ sqlState: sqlState ?? undefined, code: errorCode ?? undefined, text: errorMessage ?? '' })
}

function understood<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new ChannelError('foreign', 'the answer is no message of HiveServer2', error)
  }
}
