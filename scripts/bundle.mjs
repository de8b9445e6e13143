import { cpSync, readdirSync, rmSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { ROOT } from './run.mjs'

/** The modules as compiled; tests and benchmarks import them one by one. */
export const DIST = join(ROOT, 'dist')
/** The same in few files, which is what users run: Node takes about a millisecond for each file that a start reads. */
const LIB = join(ROOT, 'lib')

/** Generated, and not compiled: JavaScript beside the sources that goes along as it is. */
export const GENERATED = 'connectors/hive/client/generated'

/** What is run or imported by itself, and where it stands in both: modules name each other's files by these paths. */
const ENTRIES = ['index', 'worker', 'cli/main', 'environment/append-thread', 'testkit/index']
/** What modules read from beside their own file: all but entries stand in `lib/` itself. */
const BESIDE = [
  ['kernel/kernel.wasm', 'kernel/kernel.wasm'],
  [GENERATED, 'generated'],
]
/** What every thread needs, and every session besides: one file each. The rest is loaded where it is wanted. */
const GROUPS = [
  { name: 'core', test: below('(?:core|lanes|environment/(?!append-thread)|connectors/[^/]+\\.js$)') },
  {
    name: 'engine',
    test: below('(?:engine|oplog|kernel|script|library|verify|index\\.js$|config/(?:config|names)\\.js$)'),
  },
]

function below(folders) {
  return new RegExp(`/dist/${folders}`)
}

/** Whether `bundle` has been here. */
export const BUNDLED = join(LIB, 'index.js')

/** Makes `lib/` of `dist/`. Packages stay packages. */
export async function bundle() {
  const { rolldown } = await import('rolldown')
  const build = await rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, join(DIST, `${name}.js`)])),
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    platform: 'node',
  })
  try {
    const { output } = await build.write({
      dir: LIB,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: ({ name, facadeModuleId }) => {
        const path = facadeModuleId == null ? name : relative(DIST, facadeModuleId).replace(/\.js$/, '')
        return `${path.replaceAll(/[/\\]/g, '-')}.js`
      },
      codeSplitting: { groups: GROUPS },
      // Names of functions stand in stacks.
      minify: false,
    })
    for (const [from, to] of BESIDE) cpSync(join(DIST, from), join(LIB, to), { recursive: true })
    const files = [...output.map(({ fileName }) => fileName), ...BESIDE.map(([, to]) => to)]
    const made = new Set(files.map((file) => file.split('/')[0]))
    for (const name of readdirSync(LIB)) if (!made.has(name)) rmSync(join(LIB, name), { recursive: true })
  } finally {
    await build.close()
  }
}
