import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from './run.mjs'

/** What the set-up remembers of its last time. */
export const CACHE = join(ROOT, 'node_modules/.cache/merganser')

/** All files below a directory, sorted. */
export function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Changes when a file is written, renamed, added or removed; costs a stat per file. */
export function seen(files) {
  return hashOf(
    files.map((file) => {
      const { mtimeMs, size } = statSync(file)
      return `${file} ${String(mtimeMs)} ${String(size)}`
    }),
  )
}

/** Changes when what a file says changes: a fresh checkout of the same sources needs no build. */
export function contentHash(files) {
  return hashOf(files.flatMap((file) => [file.slice(ROOT.length), readFileSync(file)]))
}

export function hashOf(parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex')
}

/** An empty object where there is no such file, or nothing of use in it. */
export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}

/** Whole or not at all. */
export function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${String(process.pid)}`
  writeFileSync(temporary, JSON.stringify(value))
  renameSync(temporary, file)
}
