import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MerganserError } from '../../src/core/errors.ts'
import { LineReader } from '../../src/script/line-reader.ts'

/** All lines as texts, an error as its code and line; the bytes cut into chunks of a size. */
function lines(bytes: Buffer | string, size = 1 << 20, limit?: number): string[] {
  const all = Buffer.from(bytes)
  const reader = new LineReader(limit)
  const out: string[] = []
  const take = () => {
    for (;;) {
      try {
        const line = reader.next()
        if (line === undefined) return
        expect(line.number).toBe(out.length + 1)
        out.push(line.buffer.toString('utf8', line.start, line.end))
      } catch (error) {
        if (!(error instanceof MerganserError)) throw error
        out.push(`${error.code}:${String(error.place.line)}`)
      }
    }
  }
  for (let i = 0; i < all.length; i += size) {
    reader.push(all.subarray(i, i + size))
    take()
  }
  reader.end()
  take()
  expect(reader.next()).toBeUndefined()
  expect(reader.lines).toBe(out.length)
  return out
}

describe('lines', () => {
  test('end with LF or CRLF, the last one perhaps with nothing', () => {
    expect(lines('a\nb\r\nc')).toEqual(['a', 'b', 'c'])
    expect(lines('a\n\r\n\n')).toEqual(['a', '', ''])
    expect(lines('a\r')).toEqual(['a'])
    expect(lines('a\rb\r\r\n')).toEqual(['a\rb\r'])
    expect(lines('')).toEqual([])
    expect(lines('\n')).toEqual([''])
  })

  test('a byte order mark is dropped at the start and nowhere else', () => {
    for (const size of [1, 2, 3, 4, 100]) expect(lines('\ufeffa\n\ufeffb', size)).toEqual(['a', '\ufeffb'])
    expect(lines('\ufeff')).toEqual([''])
    expect(lines('\ufeff\r\nx')).toEqual(['', 'x'])
    expect(lines('\n\ufeff')).toEqual(['', '\ufeff'])
  })

  test('a line in one chunk is not copied', () => {
    const chunk = Buffer.from('abc\ndef\n')
    const reader = new LineReader()
    reader.push(chunk)
    expect(reader.next()?.buffer).toBe(chunk)
    expect(reader.next()).toMatchObject({ buffer: chunk, start: 4, end: 7, number: 2 })
  })

  test('a line over the limit is an error that names it, and reading goes on after it', () => {
    for (let size = 1; size < 30; size++) {
      expect(lines('12345\n123456\r\n1234567\nx\n', size, 6)).toEqual(['12345', '123456', 'LIMIT:3', 'x'])
      expect(lines(`a\n${'x'.repeat(50)}\r\nb`, size, 6)).toEqual(['a', 'LIMIT:2', 'b'])
      expect(lines(`a\n${'x'.repeat(50)}`, size, 6)).toEqual(['a', 'LIMIT:2'])
      expect(lines(`${'x'.repeat(50)}\n${'x'.repeat(50)}\n\n`, size, 6)).toEqual(['LIMIT:1', 'LIMIT:2', ''])
    }
  })

  test('however the bytes are cut, the lines are the same', () => {
    const piece = fc.constantFrom('a', 'bc', '\r', '\n', '\r\n', '\ufeff', 'ä', '123456789')
    fc.assert(
      fc.property(fc.array(piece), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
        const text = pieces.join('')
        expect(lines(text, size, 20)).toEqual(lines(text, 1 << 20, 20))
      }),
      { seed: 3, numRuns: 3000 },
    )
  })

  test('a long line in small chunks takes time in proportion to its length', () => {
    expect(lines('x'.repeat(1024 * 1024), 1024)[0]).toHaveLength(1024 * 1024)
  })
})
