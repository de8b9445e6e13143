import { ChannelError, LONGEST_ANSWER } from './channel.ts'

const VERSION = 0x8001
const FIXED: Readonly<Record<number, number>> = { 2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8 }
const STRING = 11
const STRUCT = 12
const MAP = 13
const SET = 14
const LIST = 15
const DEEPEST = 64

/** A struct, or so many values that are left of a list (one type) or of a map (two in turn). */
type Level = 'struct' | { readonly types: readonly number[]; left: number }

/**
 * Finds where a message of thrift's binary protocol ends that comes without its length. It goes on where it stopped
 * when more bytes have come, so that a long message is looked at once.
 */
export class MessageEnd {
  private position = 0
  private readonly levels: Level[] = []
  private begun = false

  /** How long the message is, or undefined while more bytes are needed. `bytes` begins with the message, always. */
  find(bytes: Buffer): number | undefined {
    if (!this.begun && !this.begin(bytes)) return undefined
    while (this.levels.length > 0) {
      if (!this.step(bytes)) return undefined
    }
    return this.position <= bytes.length ? this.position : undefined
  }

  private begin(bytes: Buffer): boolean {
    if (bytes.length >= 2 && bytes.readUInt16BE(0) !== VERSION) throw notThrift()
    if (bytes.length < 8) return false
    this.position = 8 + length(bytes, 4) + 4
    this.levels.push('struct')
    this.begun = true
    return true
  }

  /** Walks over one field or value; false, and nothing is changed, where it isn't there yet. */
  private step(bytes: Buffer): boolean {
    const level = this.levels[this.levels.length - 1]!
    if (level === 'struct') {
      if (this.position >= bytes.length) return false
      const type = bytes[this.position]!
      if (type === 0) {
        this.position += 1
        this.levels.pop()
        return true
      }
      return this.value(bytes, type, this.position + 3)
    }
    if (level.left === 0) {
      this.levels.pop()
      return true
    }
    const type = level.types[level.left % level.types.length]!
    if (!this.value(bytes, type, this.position)) return false
    level.left -= 1
    return true
  }

  private value(bytes: Buffer, type: number, at: number): boolean {
    const fixed = FIXED[type]
    if (fixed !== undefined) {
      this.position = at + fixed
      return true
    }
    if (type === STRUCT) {
      this.position = at
      this.enter('struct')
      return true
    }
    const header = type === STRING ? 4 : type === MAP ? 6 : 5
    if (at + header > bytes.length) return false
    this.position = at + header
    if (type === STRING) this.position += length(bytes, at)
    else if (type === MAP) this.enterList([bytes[at]!, bytes[at + 1]!], length(bytes, at + 2))
    else if (type === LIST || type === SET) this.enterList([bytes[at]!], length(bytes, at + 1))
    else throw notThrift()
    return true
  }

  private enterList(types: readonly number[], count: number): void {
    const sizes = types.map((type) => FIXED[type])
    if (sizes.every((size) => size !== undefined)) {
      this.position += count * sizes.reduce((sum, size) => sum + size, 0)
      return
    }
    this.enter({ types, left: count * types.length })
  }

  private enter(level: Level): void {
    if (this.levels.length >= DEEPEST) throw notThrift()
    this.levels.push(level)
  }
}

function length(bytes: Buffer, at: number): number {
  const found = bytes.readInt32BE(at)
  if (found < 0 || found > LONGEST_ANSWER) throw notThrift()
  return found
}

function notThrift(): ChannelError {
  return new ChannelError('foreign', 'the answer is no message of thrift')
}
