const REPLICA_NAME = /^[A-Z_][A-Z0-9_]{0,62}$/
const STATEMENTS = new Set(['FULL_SYNC', 'SYNC', 'UNDO', 'COMMIT', 'ROLLBACK', 'EXIT'])

/**
 * What is wrong with the name of a replica or an alias; undefined where nothing is.
 * @param written in any case
 * @param taken names in capitals
 */
export function nameProblem(written: string, taken: ReadonlySet<string>): string | undefined {
  const name = written.toUpperCase()
  if (!/^[A-Za-z0-9_]*$/.test(written) || !REPLICA_NAME.test(name)) {
    return 'its name must be at most 63 letters, digits and _, not beginning with a digit'
  }
  if (STATEMENTS.has(name)) return 'the name is a statement of the language'
  return taken.has(name) ? 'the name is taken; upper and lower case are the same' : undefined
}

/** What is wrong with names of tables: they match whatever their case, and a database has a view `…_live` beside each. */
export function tableNameProblem(names: readonly string[]): { name: string; problem: string } | undefined {
  const seen = new Set<string>()
  for (const name of names) {
    const lower = name.toLowerCase()
    if (name.length > 63) return { name, problem: 'a table has a name of at most 63 letters' }
    if (lower.startsWith('merganser_')) return { name, problem: 'names in merganser_ are kept for Merganser' }
    if (seen.has(lower)) return { name, problem: 'the name is taken; upper and lower case are the same' }
    seen.add(lower)
  }
  for (const name of names) {
    const live = names.find((other) => other.toLowerCase() === `${name.toLowerCase()}_live`)
    if (live !== undefined) return { name: live, problem: `the name is taken by the view of ${name}` }
  }
  return undefined
}
