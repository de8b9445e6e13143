import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CsvReader } from '../../src/cli/load-csv.ts'

const SEED = 20261122

interface Read {
  readonly line: number
  readonly fields?: readonly (string | undefined)[]
  readonly problem?: string
  readonly raw: string
}

/** All records, the bytes pushed in blocks of a size. */
function read(bytes: Buffer, block = bytes.length, most?: number): Read[] {
  const reader = new CsvReader(',', most)
  const found: Read[] = []
  const take = () => {
    while (reader.next()) {
      const { record } = reader
      const raw = record.raw.toString('latin1')
      if (record.problem !== undefined) found.push({ line: record.line, problem: record.problem, raw })
      else {
        const fields = Array.from({ length: record.fields }, (_, field) => record.text(field))
        found.push({ line: record.line, fields, raw })
      }
    }
  }
  for (let from = 0; from < bytes.length; from += block) {
    // A copy that is spoilt afterwards: the reader must keep nothing of a block.
    const copy = Buffer.from(bytes.subarray(from, from + block))
    reader.push(copy)
    copy.fill(0x22)
    take()
  }
  reader.end()
  take()
  return found
}

const fields = (text: string) => read(Buffer.from(text)).map((record) => record.fields ?? record.problem)

describe('the CSV reader', () => {
  it('reads what csv-parse reads, in blocks of any size', () => {
    const field = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', ' ', 'é', '\u{1f986}', '\ufffd', '\\N'),
        maxLength: 6,
      }),
      fc.string({ unit: 'binary', maxLength: 8 }).filter((text) => !text.includes('\r') && !text.startsWith('\ufeff')),
    )
    const quoted = (text: string, always: boolean) =>
      always || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(field, fc.boolean()), { minLength: 2, maxLength: 4 }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 40 }),
        (records, end, last, block) => {
          const lines = records.map((record) => record.map(([text, always]) => quoted(text, always)).join(','))
          const text = lines.join(end) + (last ? end : '')
          const expected = parse(text, { relax_column_count: true, record_delimiter: ['\r\n', '\n'], bom: false })
          const found = read(Buffer.from(text), block)
          expect(found.map((record) => record.fields)).toEqual(expected)
          let line = 1
          records.forEach((_, i) => {
            expect(found[i]!.line).toBe(line)
            expect(found[i]!.raw).toBe(Buffer.from(lines[i]!).toString('latin1'))
            line += lines[i]!.split('\n').length
          })
        },
      ),
      { seed: SEED, numRuns: 3000 },
    )
  })

  it('passes over blank lines and a byte order mark', () => {
    expect(read(Buffer.from('\ufeffa,b\r\n\r\n\nc,d'), 1)).toMatchObject([
      { line: 1, fields: ['a', 'b'] },
      { line: 4, fields: ['c', 'd'] },
    ])
  })

  it('refuses only the line in which a quote is wrong', () => {
    expect(fields('a,"b"c\nd,e\nf,g"h\ni,"j\nk,l\n')).toEqual([
      'text after a closing quote',
      ['d', 'e'],
      'a quote inside a field that is not in quotes',
      'a quote is not closed',
      ['k', 'l'],
    ])
  })

  it('goes on behind the line of a quote that is closed only by that of another line', () => {
    expect(fields('a,"b\nc,d\ne,"f"\n')).toEqual(['text after a closing quote', ['c', 'd'], ['e', 'f']])
  })

  it('finds bytes that are no UTF-8 in their field only', () => {
    const bytes = Buffer.concat([Buffer.from('a\xff,b\n', 'latin1'), Buffer.from('\ufffd,c\n')])
    expect(read(bytes).map((record) => record.fields)).toEqual([
      [undefined, 'b'],
      ['\ufffd', 'c'],
    ])
  })

  it.each([1, 7, 64])('I11: looks no further than a bound for the end of a record (blocks of %i)', (block) => {
    const text = `a,"${'x'.repeat(200)}\nc,d\n${'y'.repeat(300)},"z"\ne,f\n`
    const found = read(Buffer.from(text), block, 100)
    expect(found.at(-1)).toMatchObject({ line: 4, fields: ['e', 'f'] })
    expect(found[0]!.problem).toBeDefined()
    expect(found.map((record) => record.line)).toContain(2)
  })

  it('refuses UTF-16', () => {
    expect(() => read(Buffer.from('\ufeffa,b', 'utf16le'))).toThrow('UTF-16')
  })
})
