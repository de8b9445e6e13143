import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { CACHE, contentHash, filesBelow, hashOf, readJson, writeJson } from './files.mjs'
import { duration, ROOT, say, tool } from './run.mjs'

/*
 * The kernel: src/kernel/assembly, compiled by AssemblyScript. One source, four builds.
 */

const ASSEMBLY = join(ROOT, 'src/kernel/assembly')
const ENTRY = join(ASSEMBLY, 'exports.ts')
const OUTPUT = join(ROOT, 'dist/kernel')
/** There while all builds in dist/kernel are of one source, and plain. */
const STAMP = join(CACHE, 'kernel.json')

const COMMON = ['--runtime', 'stub', '--importMemory', '--enable', 'simd']
const SHARED = ['--sharedMemory', '--enable', 'threads', '--maximumMemory', '65536']
const RELEASE = ['-O3', '--noAssert', '--transform', './scripts/without-asserts.mjs']
/** Asserts stay in, and the names of functions. Optimised all the same: it has a million operations to check. */
const DEBUG = ['-O2', '--debug']

const BUILDS = {
  'kernel.wasm': [...RELEASE, ...SHARED],
  'kernel-unshared.wasm': RELEASE,
  'kernel-debug.wasm': [...DEBUG, ...SHARED],
  'kernel-debug-unshared.wasm': DEBUG,
}

/** The files that the compiled kernel depends on. */
export function kernelSources() {
  const scripts = ['compile-kernel.mjs', 'without-asserts.mjs'].map((name) => join(ROOT, 'scripts', name))
  return [...filesBelow(ASSEMBLY), ...scripts]
}

/** Changes when what is compiled changes, or the compiler. */
function kernelHash() {
  const compiler = readJson(join(ROOT, 'package-lock.json')).packages['node_modules/assemblyscript']
  return hashOf([contentHash(kernelSources()), compiler.integrity])
}

/** Whether `path` is a compiled kernel: no source of that name stands beside it. */
export function isCompiledKernel(path) {
  return Object.keys(BUILDS).some((name) => join(OUTPUT, name) === path)
}

/** Whether all builds are there; not whether the sources have changed since. */
export function hasKernel() {
  return existsSync(STAMP) && Object.keys(BUILDS).every((name) => existsSync(join(OUTPUT, name)))
}

/** Compiles all builds where they aren't of these sources; the compiler's output where it fails, else undefined. */
export async function compileKernel() {
  const contents = kernelHash()
  if (hasKernel() && readJson(STAMP).contents === contents) return undefined
  rmSync(STAMP, { force: true })
  const failure = await compileBuilds(Object.keys(BUILDS), [])
  if (failure === undefined) writeJson(STAMP, { contents })
  return failure
}

/**
 * For a turn of development: the release build alone, or with the names of its functions (for a profile). The next
 * set-up compiles all of them.
 */
export async function compileRelease({ names }) {
  rmSync(STAMP, { force: true })
  return await compileBuilds(['kernel.wasm'], names ? ['--debug'] : [])
}

/** All of them, or what is there stays. */
async function compileBuilds(builds, flags) {
  mkdirSync(OUTPUT, { recursive: true })
  const started = performance.now()
  const waiting = [...builds]
  const failures = []
  const next = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const args = [ENTRY, ...COMMON, ...BUILDS[name], ...flags, '--outFile', temporary(name)]
      const { status, output } = await tool('assemblyscript/bin/asc.js', args)
      if (status !== 0) {
        failures.push(`${name}:\n${output}`)
        // It's one source: the others would say the same.
        waiting.length = 0
      } else if (output.includes('WARNING')) say(output.trimEnd())
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, next))
  for (const name of builds) {
    if (failures.length === 0) renameSync(temporary(name), join(OUTPUT, name))
    else rmSync(temporary(name), { force: true })
  }
  if (failures.length > 0) return failures[0]
  say(`kernel compiled in ${duration((performance.now() - started) / 1000)}`)
  return undefined
}

const temporary = (name) => join(OUTPUT, `${name}.${String(process.pid)}`)
