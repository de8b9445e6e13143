import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withLock } from './lock.mjs'
import { duration, npm, ROOT, say, tool } from './run.mjs'

const CACHE = join(ROOT, 'node_modules/.cache/merganser')
const STAMP = join(CACHE, 'setup.json')
const BUILD_INFO = join(CACHE, 'build.tsbuildinfo')
const DIST = join(ROOT, 'dist')
const LOCK = join(ROOT, '.setup.lock')
const MACHINE = `${process.platform}-${process.arch}`

/** Thrown with the output of what failed; callers print it without a stack. */
export class SetUpError extends Error {}

/**
 * Makes the checkout ready: packages as in package-lock.json, `dist/` as the sources. Does nothing, within a few
 * milliseconds, where it already is; waits where another process is about it. `build: false` leaves `dist/` alone.
 */
export async function setUp({ build = true } = {}) {
  checkNode()
  const stamp = readStamp()
  if (isInstalled(stamp) && (!build || isBuilt(stamp))) return
  const waiting = (holder) => say(`waiting for the set-up of process ${String(holder.pid)}`)
  await withLock(LOCK, waiting, async () => {
    await installPackages()
    if (build) await buildSources()
  })
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetUpError(`Merganser needs Node 20.19 or later; this is ${process.versions.node}`)
  }
}

function isInstalled(stamp) {
  return stamp.machine === MACHINE && stamp.lock === lockHash()
}

function isBuilt(stamp) {
  return hasOutput() && stamp.seen === seen(sources())
}

async function installPackages() {
  const stamp = readStamp()
  if (isInstalled(stamp)) return
  const lock = lockHash()
  const moved = stamp.machine !== undefined && stamp.machine !== MACHINE
  if (moved || !hasPackages()) {
    say('installing packages (npm ci)')
    const { status, output, seconds } = await npm(['ci', '--include=dev', '--no-audit', '--no-fund'])
    if (status !== 0) throw new SetUpError(`npm ci failed:\n${output}`)
    say(`installed in ${duration(seconds)}`)
  }
  writeStamp({ ...readStamp(), machine: MACHINE, lock })
}

/** Whether node_modules is what package-lock.json asks for, by what npm noted there when it was done. */
function hasPackages() {
  const wanted = readJson(join(ROOT, 'package-lock.json')).packages
  const found = readJson(join(ROOT, 'node_modules/.package-lock.json')).packages
  if (wanted === undefined || found === undefined) return false
  const matches = ([path, entry]) =>
    path === '' || (found[path] === undefined ? entry.optional === true : found[path].integrity === entry.integrity)
  return Object.entries(wanted).every(matches)
}

async function buildSources() {
  const files = sources()
  const stamp = readStamp()
  const contents = contentHash(files)
  if (stamp.contents !== contents || !hasOutput()) {
    if (!hasOutput()) rmSync(BUILD_INFO, { force: true })
    say('building')
    const args = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', BUILD_INFO]
    const { status, output, seconds } = await tool('typescript/bin/tsc', args)
    if (status !== 0) throw new SetUpError(`the build failed:\n${output}`)
    removeOrphans(DIST, join(ROOT, 'src'))
    say(`built in ${duration(seconds)}`)
  }
  writeStamp({ ...readStamp(), seen: seen(files), contents })
}

function hasOutput() {
  return existsSync(join(DIST, 'index.js'))
}

/** Removes what was built from sources that are gone. */
function removeOrphans(built, source) {
  for (const entry of readdirSync(built, { withFileTypes: true })) {
    const path = join(built, entry.name)
    if (entry.isDirectory()) {
      if (existsSync(join(source, entry.name))) removeOrphans(path, join(source, entry.name))
      else rmSync(path, { recursive: true })
      continue
    }
    const origin = entry.name.replace(/\.(?:js|js\.map|d\.ts|d\.ts\.map)$/, '.ts')
    if (!existsSync(join(source, origin))) rmSync(path)
  }
}

/** What the build depends on, sorted. */
function sources() {
  const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(ROOT, name))
  for (const entry of readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath, entry.name))
  }
  return files.sort()
}

/** Changes when a file is written, renamed, added or removed; costs a stat per file. */
function seen(files) {
  return hashOf(
    files.map((file) => {
      const { mtimeMs, size } = statSync(file)
      return `${file} ${String(mtimeMs)} ${String(size)}`
    }),
  )
}

/** Changes when what a file says changes: a fresh checkout of the same sources needs no build. */
function contentHash(files) {
  return hashOf(files.flatMap((file) => [file.slice(ROOT.length), readFileSync(file)]))
}

function lockHash() {
  return hashOf([readFileSync(join(ROOT, 'package-lock.json'))])
}

function hashOf(parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex')
}

function readStamp() {
  return readJson(STAMP)
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}

function writeStamp(stamp) {
  mkdirSync(dirname(STAMP), { recursive: true })
  const temporary = `${STAMP}.${String(process.pid)}`
  writeFileSync(temporary, JSON.stringify(stamp))
  renameSync(temporary, STAMP)
}

/** Sets up; a failure is told without a stack and ends the process. */
export async function setUpOrExit(options) {
  try {
    await setUp(options)
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error
    say(error.message)
    process.exit(1)
  }
}
