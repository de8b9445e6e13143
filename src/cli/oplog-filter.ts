import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import { TIME_TEXT_LENGTH } from '../core/stamp.ts'
import type { TableId } from '../core/state.ts'
import { Catalog } from '../script/catalog.ts'
import { LineParser } from '../script/parser.ts'
import { Printer } from '../script/printer.ts'
import { Statement } from '../script/statement.ts'
import { tableNamed } from './session.ts'

const REMARK = 0x23
const AT = 0x40
const COMMA = 0x2c
const CLOSE = 0x29

export interface FilterOptions {
  readonly key: string | undefined
  readonly table: string | undefined
  readonly since: string | undefined
}

/** Tells which lines of a log are asked for; asked line by line, in order. */
export class LineFilter {
  /** What stands behind a record's stamp where it is about the key: `, HIVE.SET((SID1,CSE1)`. */
  readonly #heads: readonly Buffer[] | undefined
  /** `# conflict (SID1,CSE1) `. */
  readonly #conflicts: readonly Buffer[]
  readonly #since: string | undefined
  /** Whether a record at or after `since` was met: remarks have no stamps. */
  #reached = false

  constructor(config: Config, replica: string, { key, table, since }: FilterOptions) {
    const catalog = new Catalog(
      config.replicas.map(({ name }) => name),
      config.tables,
      config.aliases,
    )
    const printer = new Printer(catalog)
    const keys = key === undefined ? undefined : keysOf(config, catalog, replica, key, table)
    this.#heads = keys?.flatMap(({ table: of, text }) =>
      (['SET', 'GET', 'DELETE'] as const).map((op) => {
        return Buffer.from(`, ${printer.head(catalog.replica(replica)!, of, op)}(${text}`)
      }),
    )
    this.#conflicts = keys?.map(({ text }) => Buffer.from(`# conflict ${text} `)) ?? []
    this.#since = since === undefined ? undefined : stampStart(since)
    this.#reached = since === undefined
  }

  shows(bytes: Buffer, start: number, end: number): boolean {
    if (bytes[start] === REMARK) return this.#reached && this.#remark(bytes, start, end)
    const recent = this.#since === undefined || this.#recent(bytes, start, end)
    if (recent) this.#reached = true
    return recent && this.#record(bytes, start, end)
  }

  #remark(bytes: Buffer, start: number, end: number): boolean {
    return this.#heads === undefined || this.#conflicts.some((text) => startsWith(bytes, start, end, text))
  }

  #record(bytes: Buffer, start: number, end: number): boolean {
    if (this.#heads === undefined) return true
    let at = start + TIME_TEXT_LENGTH
    if (bytes[at] === AT) while (at < end && bytes[at] !== COMMA) at++
    return this.#heads.some((head) => {
      const next = bytes[at + head.length]
      return startsWith(bytes, at, end, head) && (next === CLOSE || next === COMMA)
    })
  }

  #recent(bytes: Buffer, start: number, end: number): boolean {
    return bytes.toString('latin1', start, Math.min(end, start + TIME_TEXT_LENGTH)) >= this.#since!
  }
}

function startsWith(bytes: Buffer, start: number, end: number, text: Buffer): boolean {
  const stop = start + text.length
  return stop <= end && bytes.compare(text, 0, text.length, start, stop) === 0
}

/** The one spelling of a key in each table that it fits. */
function keysOf(
  config: Config,
  catalog: Catalog,
  replica: string,
  key: string,
  table: string | undefined,
): { readonly table: TableId; readonly text: string }[] {
  const tables = table === undefined ? config.tables : [tableNamed(config, table)]
  const printer = new Printer(catalog)
  const parser = new LineParser(catalog, config.limits)
  const statement = new Statement()
  const trimmed = key.trim()
  const group = trimmed.startsWith('(') && trimmed.endsWith(')') ? trimmed : `(${trimmed})`
  let first: unknown
  const found = tables.flatMap(({ name }) => {
    const line = Buffer.from(`${replica}.${name}.GET(${group})`)
    try {
      parser.parse(line, 0, line.length, statement)
      const { input } = statement
      const id = catalog.table(name)!
      return [{ table: id, text: printer.keyText(id, input.key.subarray(0, input.keyLength)) }]
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      first ??= error
      return []
    }
  })
  if (found.length > 0 || !(first instanceof MerganserError)) return found
  throw new MerganserError(first.code, `--key: ${first.message}`, {
    advice: "keys are written as in a script, like '(SID1,CSE1)'",
    cause: first,
  })
}

const TIME_FORM = '0000-00-00 00:00:00.000000000Z'

/** The beginning of a stamp's text, which sorts as the time does. Throws BAD_STAMP. */
function stampStart(text: string): string {
  const time = text
    .trim()
    .replace('T', ' ')
    .replace(/@[A-Za-z_]\w*$/, '')
  const shape = time.replaceAll(/\d/g, '0')
  if (time.length >= 4 && TIME_FORM.startsWith(shape)) return time
  throw new MerganserError('BAD_STAMP', '--since: no stamp, nor the beginning of one', {
    advice: 'write it like 2026-11-22, "2026-11-22 15:11" or "2026-11-22 15:11:21.956711651Z"',
  })
}
