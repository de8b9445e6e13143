import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transpiled } from '../../support/transpiled.ts'
import { planted, type Bug } from './bug.ts'
import { runNode } from './run-node.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SOURCE = join(ROOT, 'src')
const ASSEMBLY = 'kernel/assembly'
/** Compiled kernels with a bug in them, by what they were compiled from. */
const KERNELS = join(ROOT, 'node_modules/.cache/merganser/planted')
/** What the simulation is made of, with all that it imports. */
const PARTS = ['core', 'engine', 'environment', 'kernel', 'lanes', 'oplog', 'script', 'simulation', 'verify']
/** As it is released, but quickly compiled: it runs for seconds only. */
const COMPILER = ['-O0', '--noAssert', '--runtime', 'stub', '--importMemory', '--enable', 'simd', '--enable', 'threads']
const SHARED = ['--sharedMemory', '--maximumMemory', '65536']

/** The sources of the simulation, compiled apart from `dist`, and copies of them with a bug each. */
export class Trees {
  readonly #directory = mkdtempSync(join(tmpdir(), 'merganser-planted-'))
  readonly #plain = join(this.#directory, 'plain')
  #next = 0

  constructor() {
    const sources = PARTS.flatMap((part) => sourcesOf(part))
    for (const file of [...sources, 'connectors/connector.ts']) {
      write(join(this.#plain, compiledName(file)), transpiled(sourceOf(file), file))
    }
    write(join(this.#plain, 'package.json'), '{ "type": "module" }\n')
    cpSync(join(ROOT, 'dist/kernel/kernel.wasm'), join(this.#plain, 'kernel/kernel.wasm'))
  }

  /** The simulation as it is. */
  get plain(): string {
    return this.#plain
  }

  /** A directory with the simulation, of whose product one thing is wrong; `drop` it afterwards. */
  async withBug(bug: Bug): Promise<string> {
    const tree = join(this.#directory, String(this.#next++))
    cpSync(this.#plain, tree, { recursive: true })
    const changed = [...bug.edits.keys()].map((file) => [file, planted(bug, file, sourceOf(file))] as const)
    for (const [file, source] of changed) {
      if (!file.startsWith(ASSEMBLY)) write(join(tree, compiledName(file)), transpiled(source, file))
    }
    const kernel = new Map(changed.filter(([file]) => file.startsWith(ASSEMBLY)))
    if (kernel.size > 0) cpSync(await this.#kernel(bug.name, kernel), join(tree, 'kernel/kernel.wasm'))
    return tree
  }

  drop(tree: string): void {
    rmSync(tree, { recursive: true, force: true })
  }

  close(): void {
    this.drop(this.#directory)
  }

  /** The path of a kernel with a bug: compiled now, unless it was before. */
  async #kernel(bug: string, changed: ReadonlyMap<string, string>): Promise<string> {
    const files = sourcesOf(ASSEMBLY, true).map((file) => [file, changed.get(file) ?? sourceOf(file)] as const)
    const { integrity } = lockedCompiler()
    const hash = createHash('sha256')
      .update(JSON.stringify([files, COMPILER, SHARED, integrity]))
      .digest('hex')
    const name = bug
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/gu, '-')
      .slice(0, 60)
    const path = join(KERNELS, `${name}.${hash.slice(0, 16)}.wasm`)
    if (existsSync(path)) return path
    const directory = join(this.#directory, `assembly-${String(this.#next++)}`)
    for (const [file, text] of files) write(join(directory, basename(file)), text)
    const output = join(directory, 'kernel.wasm')
    const transform = join(ROOT, 'scripts/without-asserts.mjs')
    const flags = [...COMPILER, ...SHARED, '--transform', transform, '--outFile', output]
    const compiler = join(ROOT, 'node_modules/assemblyscript/bin/asc.js')
    await runNode([compiler, join(directory, 'exports.ts'), ...flags], { cwd: ROOT, seconds: 300 })
    mkdirSync(KERNELS, { recursive: true })
    // Those of earlier sources are of no use any more.
    for (const old of readdirSync(KERNELS)) if (old.startsWith(`${name}.`)) rmSync(join(KERNELS, old), { force: true })
    const whole = `${path}.${String(process.pid)}`
    cpSync(output, whole)
    renameSync(whole, path)
    rmSync(directory, { recursive: true, force: true })
    return path
  }
}

function lockedCompiler(): { readonly integrity: string } {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity: string }>
  }
  return lock.packages['node_modules/assemblyscript']!
}

/** TypeScript files below a folder of `src`, as paths from there. */
function sourcesOf(folder: string, assembly = false): string[] {
  return readdirSync(join(SOURCE, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((name) => name.endsWith('.ts') && (assembly || !name.startsWith(ASSEMBLY)))
    .sort()
}

const sourceOf = (file: string) => readFileSync(join(SOURCE, file), 'utf8')
const compiledName = (file: string) => file.replace(/\.ts$/, '.js')

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
