/*
 * The import arrows: which folder of `src/` may import which. `npm run arrows` checks them, and
 * `test/repository/arrows.test.ts` checks that it would notice. A new folder needs a line here.
 */

const CONNECTOR = '^src/connectors/connector\\.ts$'
/** Another language: compiled by AssemblyScript, and loaded as WebAssembly. */
const ASSEMBLY = '^src/kernel/assembly/'
const CONNECTOR_ERRORS = '^src/connectors/errors\\.ts$'
/** What connectors tell `doctor` in the same words. */
const FINDINGS = '^src/connectors/findings\\.ts$'
const REGISTRY = '^src/connectors/registry\\.ts$'
/** They join the parts: only they know the connectors that there are. */
const COMPOSITION_ROOTS = '^src/(?:index|worker)\\.ts$'

const folder = (name) => `^src/${name}/`
/** What the simulation runs, in a world of its own, and the simulation. */
const SIMULATED = ['core', 'kernel', 'script', 'oplog', 'lanes', 'engine', 'verify', 'simulation']
const foundation = [folder('core'), folder('environment')]
const parts = [...foundation, folder('script'), folder('oplog')]

/** What each folder may import beside itself. */
const arrows = {
  core: [],
  environment: [],
  kernel: foundation,
  script: foundation,
  oplog: foundation,
  connectors: foundation,
  testkit: [...foundation, CONNECTOR, CONNECTOR_ERRORS],
  lanes: [...parts, CONNECTOR],
  engine: [...parts, folder('lanes'), CONNECTOR],
  verify: [...parts, folder('lanes'), folder('engine'), CONNECTOR],
  simulation: [...parts, folder('lanes'), folder('engine'), folder('verify'), folder('connectors'), folder('kernel')],
  config: [folder('core')],
  library: [...parts, folder('config'), folder('engine'), folder('verify'), CONNECTOR, FINDINGS],
  cli: ['^src/'],
}

const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to })

export default {
  forbidden: [
    ...Object.entries(arrows).map(([name, allowed]) =>
      rule(
        `arrow-${name}`,
        `src/${name} may import ${allowed.length === 0 ? 'nothing of the other folders' : allowed.join(', ')}`,
        { path: folder(name) },
        { path: '^src/', pathNot: [folder(name), ...allowed] },
      ),
    ),
    rule(
      'known-folders',
      'every folder of src has its line in .dependency-cruiser.mjs',
      { path: '^src/.+/', pathNot: Object.keys(arrows).map(folder) },
      {},
    ),
    rule(
      'root-files',
      'of the files at the top of src, only the composition roots import something',
      { path: '^src/[^/]+$', pathNot: COMPOSITION_ROOTS },
      {},
    ),
    rule(
      'nobody-imports-cli',
      'the command line is the outermost',
      { pathNot: folder('cli') },
      { path: folder('cli') },
    ),
    rule(
      'library-is-public',
      'only src/index.ts imports the library: within the product, the engine is used itself',
      { path: '^src/', pathNot: ['^src/index\\.ts$', folder('library')] },
      { path: folder('library') },
    ),
    rule(
      'registry',
      'only the composition roots know which connectors there are',
      { path: '^src/', pathNot: COMPOSITION_ROOTS },
      { path: REGISTRY },
    ),
    rule(
      'model-or-kernel',
      'only src/index.ts chooses between the model and the kernel',
      { path: '^src/', pathNot: ['^src/index\\.ts$', '^src/core/model/', folder('kernel'), folder('simulation')] },
      { path: ['^src/core/model/', folder('kernel')] },
    ),
    rule(
      'kernel-without-model',
      'the model is what the kernel is tested against',
      { path: folder('kernel') },
      { path: '^src/core/model/' },
    ),
    rule(
      'assembly-is-compiled',
      'what imports the kernel loads its WebAssembly',
      { pathNot: ASSEMBLY },
      { path: ASSEMBLY },
    ),
    rule('assembly-imports-itself', 'there is nothing else within', { path: ASSEMBLY }, { pathNot: ASSEMBLY }),
    rule(
      'pure-core',
      'core uses nothing of Node and no package',
      { path: folder('core') },
      { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] },
    ),
    rule(
      'world-by-environment',
      'what the simulation runs reaches the real world by the environment only; these of Node always give the same',
      { path: SIMULATED.map(folder) },
      { dependencyTypes: ['core'], pathNot: '^(?:node:)?(?:path|zlib|buffer)$' },
    ),
    rule(
      'only-sources',
      'the product imports no tests, scripts or tools',
      { path: '^src/' },
      {
        path: '^(?:test|scripts|bench|bin|dist|lib|examples)/',
      },
    ),
    rule(
      'only-dependencies',
      'what is installed for development only is not there for users',
      // Generated code stands behind a package.json of its own, which names no packages.
      { path: '^src/', pathNot: '^src/connectors/hive/client/generated/' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'npm'],
      },
    ),
    rule('no-circles', 'imports form no circles, types included', {}, { circular: true }),
    rule('resolvable', 'every import leads somewhere', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
