import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SERVICES } from './all.mjs'

/** What a test imports to get at a real server. */
const SUPPORT = /\/test\/support\/servers\.ts$/
const IMPORT = /\bfrom\s+'(\.[^']+)'|\bimport\(?\s*'(\.[^']+)'/g

/**
 * The names of the servers that these test files want: those that they, or the test files that they import, name in
 * quotes, where one of them gets at servers at all. Rather one too many than one too few.
 */
export function neededServers(files) {
  const needed = new Set()
  for (const file of files) {
    const reached = new Map()
    reach(file, reached)
    if (![...reached.keys()].some((path) => SUPPORT.test(path))) continue
    const text = [...reached].map(([path, content]) => (SUPPORT.test(path) ? '' : content)).join('\n')
    const named = SERVICES.filter(({ name }) => text.includes(`'${name}'`))
    for (const { name } of named.length === 0 ? SERVICES : named) needed.add(name)
  }
  return SERVICES.filter(({ name }) => needed.has(name))
}

function reach(file, reached) {
  if (reached.has(file) || !existsSync(file) || !statSync(file).isFile()) return
  const text = readFileSync(file, 'utf8')
  reached.set(file, text)
  for (const [, from, dynamic] of text.matchAll(IMPORT)) {
    const path = resolve(dirname(file), from ?? dynamic)
    if (path.includes('/test/')) reach(path, reached)
  }
}
