import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { withLock } from '../lock.mjs'
import { duration } from '../run.mjs'

/*
 * What servers need is made once per user and kept in the cache directory, one entry per recipe and content of that
 * recipe. An entry is built under another name and renamed when it is whole: what has the name is complete.
 */

/** The user's cache directory for servers; all checkouts share it. */
export function cacheDirectory() {
  const base = process.env.XDG_CACHE_HOME ?? ''
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'merganser', 'services')
}

/**
 * Where a recipe's entry is, or will be. A recipe is `{ name, version, files, also, build }`: it's another one when the
 * content of one of `files` changes, or a text of `also` (what it was built for: a platform, a version of Python).
 */
export function entryOf({ name, version, files, also = [] }) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(basename(file)).update('\0').update(readFileSync(file)).update('\0')
  for (const text of also) hash.update(text).update('\0')
  return join(cacheDirectory(), `${name}-${version}-${hash.digest('hex').slice(0, 12)}`)
}

/** Whether a recipe's entry is there already. */
export function isProvisioned(recipe) {
  return existsSync(entryOf(recipe))
}

/**
 * The directory of a recipe's entry, built where it isn't there: by one process, the others wait for it. What an
 * interrupted one left is removed first. `report` gets lines of progress.
 */
export async function provision(recipe, report) {
  const path = entryOf(recipe)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  const waiting = ({ pid }) => report(`waiting for process ${String(pid)}, which provisions it`)
  await withLock(`${path}.lock`, waiting, async () => {
    if (existsSync(path)) return
    removeUnfinished(path)
    await build(recipe, path, report)
  })
  return path
}

async function build(recipe, path, report) {
  const making = mkdtempSync(`${path}.new-`)
  const started = performance.now()
  report(`provisioning ${recipe.name} ${recipe.version} into ${path}`)
  try {
    await recipe.build(making, report)
    renameSync(making, path)
    report(`provisioned in ${duration((performance.now() - started) / 1000)}`)
  } finally {
    rmSync(making, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Only who holds the entry's lock may: nobody else builds it then. */
function removeUnfinished(path) {
  for (const name of readdirSync(dirname(path))) {
    if (name.startsWith(`${basename(path)}.new-`)) {
      rmSync(join(dirname(path), name), { recursive: true, force: true, maxRetries: 3 })
    }
  }
}

/** Removes the entries of these recipes, of every version and content; gives their names. */
export async function removeEntries(names, report) {
  const directory = cacheDirectory()
  if (!existsSync(directory)) return []
  const pattern = new RegExp(`^((?:${names.join('|')})-\\d.*-[0-9a-f]{12})(?:\\.new-\\w+)?$`)
  const entries = new Set(readdirSync(directory).map((name) => pattern.exec(name)?.[1]))
  entries.delete(undefined)
  for (const name of entries) {
    const path = join(directory, name)
    const waiting = ({ pid }) => report(`waiting for process ${String(pid)}, which provisions ${name}`)
    await withLock(`${path}.lock`, waiting, async () => {
      removeUnfinished(path)
      // Away under its name at once, so that nobody takes half of it for whole.
      const leaving = `${path}.new-old`
      if (existsSync(path)) renameSync(path, leaving)
      rmSync(leaving, { recursive: true, force: true, maxRetries: 3 })
    })
  }
  return [...entries]
}
