import { quoted, tableSql, typeSql, type StoredColumn, type TableLayout } from './layout.ts'

/*
 * The statements of one table. Rows arrive as texts in a temporary table; `stored` is the table's row, `excluded` (or
 * `incoming`) the one that is joined into it. Stamps compare by bytes: their columns are COLLATE "C".
 */

/** The staging column that holds a row's number in its batch. */
export const ROW_NUMBER = 'merganser_row'

export interface TableStatements {
  readonly layout: TableLayout
  /** Once per connection, not in a transaction; it empties itself at each commit. */
  readonly createStaging: string
  /** COPY of the row number, keys, each value and its stamp, and the tombstone; binary, as texts. */
  readonly copyStaging: string
  /** The join of everything staged. Its row count is the rows that changed. */
  readonly join: string
  /** Row number, then for each value column whether it is foreign and what is stored. */
  readonly foreign: string
  /** Rows by arrays of key texts, one parameter per key column. */
  readonly read: string
  /**
   * All rows in key order, as a COPY; after the key texts in the settings of `afterSetting` and up to those of
   * `upToSetting`, as many as are given.
   */
  scan(after: number, upTo: number): string
  readonly greatestStamp: string
}

/** The setting that holds a key text of a scan, which as a COPY takes no parameters. */
export const afterSetting = (column: number): string => `merganser.after_${String(column)}`

/** The same for where it ends. */
export const upToSetting = (column: number): string => `merganser.up_to_${String(column)}`

/** A staged text as a value of its column's type. */
export function fromText(column: StoredColumn, source: string): string {
  return column.type.name === 'string' ? source : `${source}::${typeSql(column.type)}`
}

export function toText(column: StoredColumn, source: string): string {
  return column.type.name === 'string' ? source : `${source}::text`
}

export const of = (row: string, name: string): string => `${row}.${quoted(name)}`

function sourceColumns(layout: TableLayout): { names: string; expressions: string } {
  const value = (column: StoredColumn): [string, string] => [
    quoted(column.name),
    fromText(column, of('incoming', column.name)),
  ]
  const stamp = (name: string): [string, string] => [quoted(name), of('incoming', name)]
  const all = [
    ...layout.keys.map(value),
    ...layout.values.flatMap((column, c) => [value(column), stamp(layout.stamps[c]!)]),
    stamp(layout.deleted),
  ]
  return { names: all.map(([name]) => name).join(', '), expressions: all.map(([, from]) => from).join(', ') }
}

/** Per column the greater stamp, the greater tombstone, then normal form; only rows that this changes. */
function joinSql(layout: TableLayout, staging: string): string {
  const { names, expressions } = sourceColumns(layout)
  const tombstone = `greatest(${of('stored', layout.deleted)}, ${of('excluded', layout.deleted)})`
  const winners = layout.stamps.map((stamp) => `greatest(${of('excluded', stamp)}, ${of('stored', stamp)})`)
  const survives = winners.map((winner) => `${winner} > coalesce(${tombstone}, '')`)
  const sets = layout.values.flatMap(({ name }, c) => {
    const stamp = layout.stamps[c]!
    const newer = `${of('excluded', stamp)} > coalesce(${of('stored', stamp)}, '')`
    return [
      `${quoted(name)} = CASE WHEN ${survives[c]!} THEN CASE WHEN ${newer} THEN ${of('excluded', name)} ELSE ${of('stored', name)} END END`,
      `${quoted(stamp)} = CASE WHEN ${survives[c]!} THEN ${winners[c]!} END`,
    ]
  })
  // `survives` is NULL where a column has no register: then the tombstone stays.
  sets.push(`${quoted(layout.deleted)} = CASE WHEN ${survives.join(' AND ')} THEN NULL ELSE ${tombstone} END`)
  const key = layout.keys.map(({ name }) => quoted(name)).join(', ')
  return `INSERT INTO ${tableSql(layout)} AS stored (${names}) SELECT ${expressions} FROM ${staging} AS incoming
    ON CONFLICT (${key}) DO UPDATE SET ${sets.join(', ')} WHERE ${changes(layout)}`
}

/** Whether the join changes the stored row, both being in normal form. */
function changes(layout: TableLayout): string {
  const stored = of('stored', layout.deleted)
  const arriving = of('excluded', layout.deleted)
  const newer = layout.stamps.map(
    (stamp) => `${of('excluded', stamp)} > coalesce(greatest(${of('stored', stamp)}, ${stored}), '')`,
  )
  const least = layout.stamps.map((stamp) => `coalesce(${of('stored', stamp)}, '')`)
  // A tombstone older than every column's register adds nothing.
  const oldest = least.length === 1 ? least[0]! : `least(${least.join(', ')})`
  return `${newer.join(' OR ')} OR ${arriving} > coalesce(${stored}, '') AND ${arriving} >= ${oldest}`
}

function foreignSql(layout: TableLayout, staging: string): string {
  const foreign = layout.values.map((column, c) => {
    const stamp = layout.stamps[c]!
    const arriving = toText(column, `(${fromText(column, of('incoming', column.name))})`)
    const stored = toText(column, of('stored', column.name))
    return `coalesce(${of('incoming', stamp)} = ${of('stored', stamp)} AND ${stored} IS DISTINCT FROM ${arriving}, false)`
  })
  const columns = layout.values.flatMap((column, c) => [
    `(${foreign[c]!})::text`,
    `CASE WHEN ${foreign[c]!} THEN ${toText(column, of('stored', column.name))} END`,
  ])
  return `SELECT incoming.${ROW_NUMBER}::text, ${columns.join(', ')} FROM ${staging} AS incoming
    JOIN ${tableSql(layout)} AS stored ON ${sameKey(layout)} WHERE ${foreign.join(' OR ')}`
}

function sameKey(layout: TableLayout): string {
  return layout.keys
    .map((column) => `${of('stored', column.name)} = ${fromText(column, of('incoming', column.name))}`)
    .join(' AND ')
}

/** What a row is read as: all its texts, keys, each value with its stamp, tombstone. */
function rowTexts(layout: TableLayout): string {
  return [
    ...layout.keys.map((column) => toText(column, of('stored', column.name))),
    ...layout.values.flatMap((column, c) => [
      toText(column, of('stored', column.name)),
      of('stored', layout.stamps[c]!),
    ]),
    of('stored', layout.deleted),
  ].join(', ')
}

/** A comparison of a row's first key columns with texts that SQL has in these expressions. */
export function compareKey(layout: TableLayout, operator: '>' | '<=', texts: readonly string[]): string {
  const columns = layout.keys.slice(0, texts.length)
  const stored = columns.map(({ name }) => of('stored', name)).join(', ')
  return `(${stored}) ${operator} (${columns.map((column, c) => fromText(column, texts[c]!)).join(', ')})`
}

function scanSql(layout: TableLayout, after: number, upTo: number): string {
  const keys = layout.keys.map(({ name }) => of('stored', name))
  const settings = (count: number, name: (column: number) => string): string[] =>
    Array.from({ length: count }, (_, c) => `current_setting('${name(c)}')`)
  const bounds = [
    ...(after === 0 ? [] : [compareKey(layout, '>', settings(after, afterSetting))]),
    ...(upTo === 0 ? [] : [compareKey(layout, '<=', settings(upTo, upToSetting))]),
  ]
  const where = bounds.length === 0 ? '' : ` WHERE ${bounds.join(' AND ')}`
  return `COPY (SELECT ${rowTexts(layout)} FROM ${tableSql(layout)} AS stored${where} ORDER BY ${keys.join(', ')})
    TO STDOUT (FORMAT binary)`
}

/** The statements of a table whose rows are staged in the temporary table `stagingName`. */
export function statementsOf(layout: TableLayout, stagingName: string): TableStatements {
  const staging = `pg_temp.${quoted(stagingName)}`
  const texts = [
    ...layout.keys.map(({ name }) => name),
    ...layout.values.flatMap(({ name }, c) => [name, layout.stamps[c]!]),
    layout.deleted,
  ]
  const arrays = layout.keys.map((_, c) => `$${String(c + 1)}::text[]`).join(', ')
  const names = layout.keys.map(({ name }) => quoted(name)).join(', ')
  const stamps = [...layout.stamps, layout.deleted].map((stamp) => `max(${quoted(stamp)})`)
  return {
    layout,
    createStaging: `CREATE TEMPORARY TABLE ${quoted(stagingName)} (${ROW_NUMBER} integer,
      ${texts.map((name) => `${quoted(name)} text COLLATE "C"`).join(', ')}) ON COMMIT DELETE ROWS`,
    copyStaging: `COPY ${staging} FROM STDIN (FORMAT binary)`,
    join: joinSql(layout, staging),
    foreign: foreignSql(layout, staging),
    read: `SELECT ${rowTexts(layout)} FROM unnest(${arrays}) AS incoming(${names})
      JOIN ${tableSql(layout)} AS stored ON ${sameKey(layout)}`,
    scan: (after, upTo) => scanSql(layout, after, upTo),
    greatestStamp: `SELECT greatest(${stamps.join(', ')}) FROM ${tableSql(layout)}`,
  }
}
