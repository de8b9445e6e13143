import type { HiveConnection } from './connection.ts'

/** A setting of the session that isn't what it should be; `found` is undefined where the server doesn't know it. */
export interface OtherSetting {
  readonly name: string
  readonly expected: string
  readonly found: string | undefined
}

/** Asks the server for its settings; gives those that differ. */
export async function checkSettings(
  connection: HiveConnection,
  expected: Readonly<Record<string, string>>,
): Promise<OtherSetting[]> {
  const others: OtherSetting[] = []
  const changed = await changedSettings(connection)
  for (const [name, value] of Object.entries(expected)) {
    const found = changed.get(name) ?? (await setting(connection, name))
    if (found !== value) others.push({ name, expected: value, found })
  }
  return others
}

/** All that differ from Hive's own defaults, in one question. */
async function changedSettings(connection: HiveConnection): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const { columns } of connection.query('SET')) {
    for (const line of columns[0]?.values ?? []) {
      const [, name, value] = /^([\w.-]+)=(.*)$/s.exec(String(line)) ?? []
      if (name !== undefined) found.set(name, value!)
    }
  }
  return found
}

async function setting(connection: HiveConnection, name: string): Promise<string | undefined> {
  let line = ''
  for await (const { columns } of connection.query(`SET ${name}`)) line += String(columns[0]?.values[0] ?? '')
  return line.startsWith(`${name}=`) ? line.slice(name.length + 1) : undefined
}
