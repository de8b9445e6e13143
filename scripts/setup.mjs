import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundle, BUNDLED, DIST, GENERATED } from './bundle.mjs'
import { compileKernel, hasKernel, isCompiledKernel, kernelSources } from './compile-kernel.mjs'
import { CACHE, contentHash, filesBelow, hashOf, readJson, seen, writeJson } from './files.mjs'
import { withLock } from './lock.mjs'
import { duration, npm, ROOT, say, tool } from './run.mjs'

const STAMP = join(CACHE, 'setup.json')
const BUILD_INFO = join(CACHE, 'build.tsbuildinfo')
const LOCK = join(ROOT, '.setup.lock')
const MACHINE = `${process.platform}-${process.arch}`

/** Thrown with the output of what failed; callers print it without a stack. */
export class SetUpError extends Error {}

/**
 * Makes the checkout ready: packages as in package-lock.json, `dist/` and `lib/` as the sources. Does nothing, within a
 * few milliseconds, where it already is; waits where another process is about it. `build: false` leaves these two alone.
 */
export async function setUp({ build = true } = {}) {
  checkNode()
  const stamp = readStamp()
  if (isInstalled(stamp) && (!build || isBuilt(stamp))) return
  await alone(async () => {
    await installPackages()
    if (build) await buildAll()
  })
}

/** Runs `work` while no other process sets up this checkout. */
export async function alone(work) {
  const waiting = (holder) => say(`waiting for the set-up of process ${String(holder.pid)}`)
  await withLock(LOCK, waiting, work)
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
  return hasOutput() && hasKernel() && existsSync(BUNDLED) && stamp.seen === seen([...sources(), ...kernelSources()])
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
  writeJson(STAMP, { ...readStamp(), machine: MACHINE, lock })
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

/** What is seen now is noted only once all of it is built, so that a failure is tried again. */
async function buildAll() {
  const now = seen([...sources(), ...kernelSources()])
  const failures = (await Promise.all([buildSources(), compileKernel()])).filter((failure) => failure !== undefined)
  if (failures.length > 0) throw new SetUpError(`the build failed:\n${failures.join('\n')}`)
  removeOrphans(DIST, join(ROOT, 'src'))
  await bundle()
  writeJson(STAMP, { ...readStamp(), seen: now })
}

/** The compiler's output where it fails, else undefined. */
async function buildSources() {
  const contents = contentHash(sources())
  if (readStamp().contents === contents && hasOutput()) return undefined
  if (!hasOutput()) rmSync(BUILD_INFO, { force: true })
  say('building')
  const args = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', BUILD_INFO]
  const { status, output, seconds } = await tool('typescript/bin/tsc', args)
  if (status !== 0) return output
  cpSync(join(ROOT, 'src', GENERATED), join(DIST, GENERATED), { recursive: true })
  say(`built in ${duration(seconds)}`)
  writeJson(STAMP, { ...readStamp(), contents })
  return undefined
}

function hasOutput() {
  return existsSync(join(DIST, 'index.js')) && existsSync(join(DIST, GENERATED, 'package.json'))
}

/** Removes what was built from sources that are gone. */
function removeOrphans(built, source) {
  for (const entry of readdirSync(built, { withFileTypes: true })) {
    const path = join(built, entry.name)
    if (existsSync(join(source, entry.name)) && !entry.isDirectory()) continue
    if (entry.isDirectory()) {
      if (existsSync(join(source, entry.name))) removeOrphans(path, join(source, entry.name))
      else rmSync(path, { recursive: true })
      continue
    }
    const origin = entry.name.replace(/\.(?:js|js\.map|d\.ts|d\.ts\.map)$/, '.ts')
    if (!existsSync(join(source, origin)) && !isCompiledKernel(path)) rmSync(path)
  }
}

/** What the compilation by TypeScript depends on. */
function sources() {
  const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(ROOT, name))
  const kernel = new Set(kernelSources())
  return [...files, ...filesBelow(join(ROOT, 'src')).filter((file) => !kernel.has(file))]
}

function lockHash() {
  return hashOf([readFileSync(join(ROOT, 'package-lock.json'))])
}

function readStamp() {
  return readJson(STAMP)
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
