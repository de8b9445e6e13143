import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { connectorTypes, loadConnector } from '../../src/connectors/registry.ts'
import type { Connector } from '../../src/connectors/connector.ts'
import { parseType, type ColumnType } from '../../src/core/types.ts'

/*
 * docs/types.md is written from what the connectors say of themselves. With MERGANSER_WRITE_DOCUMENTS=1 this test
 * writes the file instead of comparing it.
 */

const PATH = new URL('../../docs/types.md', import.meta.url)

/** The spellings that are held differently, and what stands for each. */
const SPELLINGS = [
  ...['string', 'int64', 'float64', 'decimal(p,s)', 'boolean', 'bytes', 'date'],
  ...['timestamp(0)', 'timestamp(3)', 'timestamp(6)', 'timestamp(9)', 'json'],
]

function typeOf(spelling: string): ColumnType {
  const type = parseType(spelling.replace('(p,s)', '(12,2)'))
  if (type === undefined) throw new Error(`no type ${spelling}`)
  return type
}

/** What a connector refuses of a type, by its capabilities. */
function refusedBy({ capabilities }: Connector, type: ColumnType): string[] {
  const { nulInText, nonFinite, negativeZero, timestampDigits, minYear, maxYear, nanosecondYears } = capabilities
  const refused: string[] = []
  const years = (first: number, last: number) => `years but ${String(first)} to ${String(last)}`
  switch (type.name) {
    case 'string':
      if (!nulInText) refused.push('U+0000')
      break
    case 'float64':
      if (!nonFinite) refused.push('NaN, infinities')
      if (!negativeZero) refused.push('-0')
      break
    case 'decimal':
      if (capabilities.decimalDigits < 38) refused.push(`more than ${String(capabilities.decimalDigits)} digits`)
      break
    case 'timestamp':
    case 'date':
      if (type.name === 'timestamp' && (type.scale ?? 9) > timestampDigits) {
        refused.push(`more than ${String(timestampDigits)} digits of a second`)
      }
      if (type.name === 'timestamp' && (type.scale ?? 9) > 6 && nanosecondYears !== undefined) {
        refused.push(years(...nanosecondYears))
      } else if (minYear > 1 || maxYear < 9999) refused.push(years(minYear, maxYear))
      break
    case 'json':
      if (!capabilities.nulInJson) refused.push('\\u0000')
      else if (!capabilities.nulInJsonNames) refused.push('\\u0000 in names')
      break
    default:
  }
  return refused
}

function heldBy(connector: Connector, spelling: string): string {
  const held = connector.heldAs!(typeOf(spelling)).replace('(12,2)', '(p,s)')
  const refused = refusedBy(connector, typeOf(spelling))
  return `\`${held}\`${refused.length === 0 ? '' : `, not: ${refused.join('; ')}`}`
}

const HEAD = `# Types

How each kind of database holds the values of each type, and what it can't hold. A value is stored exactly or refused
before it is acknowledged; one that arrives by a merge and can't be held stays in cache and oplog, is listed in the
report, and the run is "not converged". This page is written from what the connectors say of themselves.

`

const TAIL = `
Stamps are text in every database. A key column can't be \`float64\` or \`json\`. For what follows, the same in all of
them unless a table here says less:

- Text is Unicode, compared by its bytes in UTF-8 whatever the database's collation.
- Dates and timestamps have the years 1 to 9999, in UTC.
- A decimal has up to 38 digits; \`decimal(p,s)\` p digits in all, s of them behind the point.

| | longest canonical key | longest value |
|---|---|---|
`

async function document(): Promise<string> {
  const connectors: Connector[] = []
  for (const type of connectorTypes) {
    const connector = await loadConnector(type)
    if (connector?.heldAs !== undefined) connectors.push(connector)
  }
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`
  const types = connectors.map(({ type }) => type)
  const rows = SPELLINGS.map((spelling) => row([`\`${spelling}\``, ...connectors.map((one) => heldBy(one, spelling))]))
  const limits = connectors.map(({ type, capabilities }) => {
    const bytes = (count: number) => `${count.toLocaleString('en')} bytes`
    return row([type, bytes(capabilities.keyBytes), bytes(capabilities.valueBytes)])
  })
  const head = row(['type', ...types]) + `|${'---|'.repeat(types.length + 1)}\n`
  return HEAD + head + rows.join('') + TAIL + limits.join('')
}

test('docs/types.md says of every type what each connector says', async () => {
  const wanted = await document()
  if (process.env['MERGANSER_WRITE_DOCUMENTS'] === '1') writeFileSync(PATH, wanted)
  const hint = 'write it again: MERGANSER_WRITE_DOCUMENTS=1 npx vitest run test/connectors/types-document.test.ts'
  expect(readFileSync(PATH, 'utf8') === wanted, hint).toBe(true)
})
