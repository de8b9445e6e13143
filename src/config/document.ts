import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { MerganserError, type ErrorCode, type Place } from '../core/errors.ts'
import { isSecretName, secretRanges } from './secrets.ts'

const MAX_DEPTH = 20
const MAX_NODES = 20_000
const MAX_ALIASES = 100
/** A longer line is not shown. */
const MAX_LINE_SHOWN = 1000
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

export type Path = readonly PropertyKey[]

/** A scalar as it stands: what reads it may replace its text. */
export type ReadScalar = (value: unknown, path: Path) => unknown

/** One configuration file in YAML: its plain contents, and the place of each part of it. */
export class ConfigDocument {
  readonly #file: string
  readonly #text: string
  readonly #lines = new LineCounter()
  readonly #document: Document.Parsed
  #nodes = 0
  #aliases = 0

  /** Throws BAD_CONFIG where the text is no YAML document of maps, lists and scalars. */
  constructor(text: string, file: string) {
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text
    this.#file = file
    this.#document = this.#parse()
    const problems = [...this.#document.errors, ...this.#document.warnings]
    const [problem] = problems.sort((a, b) => a.pos[0] - b.pos[0] || weight(a) - weight(b))
    if (problem !== undefined) throw this.#syntaxError(problem)
  }

  /** Shows its line only where that can't be the middle of a secret that began on a line above. */
  #syntaxError(problem: YAMLError): MerganserError {
    const message = SYNTAX_MESSAGES[problem.code] ?? 'this is no YAML'
    const start = Math.min(problem.pos[0], this.#text.length)
    const before = this.#text.slice(0, start).split('\n')
    const line = before.pop()! + this.#text.slice(start).split('\n')[0]!
    const advice = line.includes('${') ? { advice: 'between braces or brackets, text with ${NAME} needs quotes' } : {}
    const error = this.#errorAtOffset(start, message, advice)
    if (before.some((above) => secretRanges(above).length > 0)) delete error.place.text
    return error
  }

  #parse(): Document.Parsed {
    try {
      return parseDocument(this.#text, {
        lineCounter: this.#lines,
        prettyErrors: false,
        stringKeys: true,
        uniqueKeys: false, // looks at every pair of keys; `#plain` looks once at each
        version: '1.2',
        logLevel: 'error',
      })
    } catch (error) {
      // Nested so deeply that the parser gave up.
      throw new MerganserError('BAD_CONFIG', 'the configuration is no readable YAML', {
        place: { file: this.#file },
        cause: error instanceof RangeError ? undefined : error,
      })
    }
  }

  /** The contents as plain data; `read` sees every scalar that is no key. */
  plain(read: ReadScalar): unknown {
    return this.#plain(this.#document.contents, [], read)
  }

  #plain(node: unknown, path: Path, read: ReadScalar): unknown {
    if (node === null || node === undefined) return null
    if (path.length > MAX_DEPTH) throw this.error(path, `nested deeper than ${String(MAX_DEPTH)} levels`)
    if (++this.#nodes > MAX_NODES) throw this.error(path, `more than ${String(MAX_NODES)} parts, aliases followed`)
    if (isAlias(node)) {
      if (++this.#aliases > MAX_ALIASES) throw this.error(path, `more than ${String(MAX_ALIASES)} aliases`)
      const target = node.resolve(this.#document)
      if (target === undefined) throw this.error(path, 'an alias without its anchor before it')
      return this.#plain(target, path, read)
    }
    if (isScalar(node)) return read(node.value, path)
    if (isSeq(node)) return node.items.map((item, i) => this.#plain(item, [...path, i], read))
    if (!isMap(node)) throw this.error(path, 'expected a map, a list or a scalar')
    const seen = new Set<string>()
    const entries = node.items.map((pair): [string, unknown] => {
      const key = keyText(pair)
      if (key === undefined) throw this.error(path, 'a key is a name')
      if (seen.has(key)) throw this.#errorAtOffset(startOf(pair.key) ?? 0, 'the key stands here twice', {})
      seen.add(key)
      if (FORBIDDEN_KEYS.has(key)) throw this.error([...path, key], `${key} can't be a key`, { at: 'key' })
      return [key, this.#plain(pair.value, [...path, key], read)]
    })
    return Object.fromEntries(entries)
  }

  /** An error at a part of the document, or at its key; where that isn't there, at what it would stand in. */
  error(
    path: Path,
    message: string,
    details: { at?: 'key' | 'value'; advice?: string | undefined; code?: ErrorCode; place?: Place } = {},
  ): MerganserError {
    return this.#errorAtOffset(this.#offsetOf(path, details.at ?? 'value'), message, details)
  }

  /** Orders errors by where they stand. */
  offset(path: Path, at: 'key' | 'value'): number {
    return this.#offsetOf(path, at)
  }

  #errorAtOffset(
    offset: number,
    message: string,
    details: { advice?: string | undefined; code?: ErrorCode; place?: Place },
  ): MerganserError {
    const start = Math.min(offset, this.#text.length)
    const { line, col } = this.#lines.linePos(start)
    const place: Place = { ...details.place, file: this.#file, line: Math.max(1, line), column: Math.max(1, col) }
    const text = this.#shown(start - Math.max(1, col) + 1, start)
    return new MerganserError(details.code ?? 'BAD_CONFIG', message, {
      place: text === undefined ? place : { ...place, text },
      ...(details.advice === undefined ? {} : { advice: details.advice }),
    })
  }

  #offsetOf(path: Path, at: 'key' | 'value'): number {
    let node: unknown = this.#document.contents
    let offset = startOf(node) ?? 0
    for (const [i, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.#document)
      const last = i === path.length - 1
      if (isSeq(node)) {
        node = node.items[Number(step)]
        offset = startOf(node) ?? offset
        continue
      }
      const pair = isMap(node) ? pairOf(node, String(step)) : undefined
      if (pair === undefined) return offset
      offset = startOf(pair.key) ?? offset
      if (last && at === 'key') return offset
      node = pair.value
      offset = isScalar(node) && node.type === 'PLAIN' && node.source === '' ? offset : (startOf(node) ?? offset)
    }
    return offset
  }

  /** The line from `start`, secrets blotted out; those before the caret keep their width, so that it points right. */
  #shown(start: number, caret: number): string | undefined {
    const end = this.#text.indexOf('\n', start)
    const line = this.#text.slice(start, end < 0 ? undefined : end).replace(/\r$/, '')
    if (line.length > MAX_LINE_SHOWN) return undefined
    const ranges = [...secretRanges(line)]
    for (const [from, to] of this.#secretNodes()) {
      if (from < start + line.length && to > start)
        ranges.push([Math.max(0, from - start), Math.min(line.length, to - start)])
    }
    const characters = [...line.split('')]
    let cut = characters.length
    for (const [from, to] of ranges) {
      characters.fill('*', from, to)
      if (to === line.length && from >= caret - start) cut = Math.min(cut, from + 3)
    }
    return characters.slice(0, cut).join('')
  }

  /** Where the values of keys with a secret's name stand, whatever else is wrong with the document. */
  *#secretNodes(): Generator<[number, number]> {
    const waiting: unknown[] = [this.#document.contents]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (isSeq(node)) waiting.push(...node.items)
      if (!isMap(node)) continue
      for (const pair of node.items) {
        const value = pair.value
        const key = keyText(pair)
        if (isMap(value) || isSeq(value)) waiting.push(value)
        else if (key !== undefined && isSecretName(key) && hasRange(value)) yield [value.range[0], value.range[2]]
      }
    }
  }
}

function hasRange(node: unknown): node is Node & { range: [number, number, number] } {
  return (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) && Array.isArray(node.range)
}

function startOf(node: unknown): number | undefined {
  return hasRange(node) ? node.range[0] : undefined
}

function keyText(pair: unknown): string | undefined {
  if (!isPair(pair)) return undefined
  const key = pair.key
  return isScalar(key) && typeof key.value === 'string' ? key.value : undefined
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => keyText(pair) === key)
}

/** Our own words: the parser's messages may quote what stands in the file. */
const SYNTAX_MESSAGES: Partial<Record<YAMLError['code'], string>> = {
  BAD_ALIAS: 'an alias has a name',
  BAD_DQ_ESCAPE: 'an escape that text in double quotes does not know',
  BAD_INDENT: 'the indentation is wrong here, or a bracket is open',
  BLOCK_IN_FLOW: 'a block cannot stand inside braces or brackets',
  KEY_OVER_1024_CHARS: 'a key has at most 1024 characters',
  MISSING_CHAR: 'something is missing here: a quote, a comma, a colon or a closing bracket',
  MULTIPLE_DOCS: 'a configuration file is one document',
  NON_STRING_KEY: 'a key is a name',
  RESOURCE_EXHAUSTION: 'nested too deeply',
  TAB_AS_INDENT: 'tabs cannot indent: use blanks',
  TAG_RESOLVE_FAILED: 'tags have no meaning here',
  UNEXPECTED_TOKEN: 'this cannot stand here',
}

/** Of two problems at one place the one that says more goes first. */
function weight(problem: YAMLError): number {
  return problem.code === 'BAD_INDENT' ? 1 : 0
}
