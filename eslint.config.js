import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** What only `src/environment` may touch, so that the simulation can replace all of it. */
const OUTSIDE_WORLD = 'take it from the Environment (src/environment)'

const worldModules = [
  'child_process',
  'cluster',
  'dgram',
  'dns',
  'dns/promises',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'perf_hooks',
  'timers',
  'timers/promises',
  'tls',
  'worker_threads',
]
const worldGlobals = ['performance', 'setTimeout', 'setInterval', 'setImmediate', 'fetch']

const restrictWorld = {
  'no-restricted-globals': ['error', ...worldGlobals.map((name) => ({ name, message: OUTSIDE_WORLD }))],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: OUTSIDE_WORLD },
    { object: 'Math', property: 'random', message: OUTSIDE_WORLD },
    { object: 'process', property: 'hrtime', message: OUTSIDE_WORLD },
    { object: 'process', property: 'env', message: 'the command line hands it in' },
    { object: 'process', property: 'exit', message: 'the command line ends the process' },
    ...worldGlobals.map((property) => ({ object: 'globalThis', property, message: OUTSIDE_WORLD })),
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: OUTSIDE_WORLD },
    { selector: 'CallExpression[callee.name="Date"]', message: OUTSIDE_WORLD },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        ...worldModules.flatMap((name) => [name, `node:${name}`]).map((name) => ({ name, message: OUTSIDE_WORLD })),
        ...['crypto', 'node:crypto'].map((name) => ({
          name,
          importNames: ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID', 'getRandomValues'],
          message: OUTSIDE_WORLD,
        })),
      ],
    },
  ],
}

const everywhere = {
  'array-callback-return': 'error',
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-console': 'error',
  'no-constant-binary-expression': 'error',
  'no-dupe-else-if': 'error',
  'no-empty': 'error',
  'no-fallthrough': 'error',
  'no-irregular-whitespace': 'error',
  'no-self-compare': 'error',
  'no-unreachable': 'error',
  'no-unsafe-finally': 'error',
  'no-useless-assignment': 'error',
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': 'error',
}

const refused = (selector, message) => ({ selector, message })
const WITHOUT_HEAP = 'the kernel has numbers and addresses only: its runtime frees nothing'

/** AssemblyScript: its types are all `number` to the linter, and mean something else each. */
const assembly = {
  eqeqeq: 'off',
  '@typescript-eslint/no-unnecessary-type-assertion': 'off',
  '@typescript-eslint/no-unnecessary-type-arguments': 'off',
  '@typescript-eslint/no-unnecessary-type-conversion': 'off',
  '@typescript-eslint/no-redundant-type-constituents': 'off',
  'no-restricted-syntax': [
    'error',
    refused('BinaryExpression[operator=/^[!=]==$/]', '`==` and `!=` are as strict here: one spelling'),
    refused('Decorator', 'imports by file need none, and -O3 inlines'),
    refused(':matches(ClassDeclaration, ClassExpression, NewExpression, TSEnumDeclaration)', WITHOUT_HEAP),
    refused(':matches(ArrayExpression, ObjectExpression, TemplateLiteral)', WITHOUT_HEAP),
    refused(':matches(FunctionExpression, ArrowFunctionExpression)', WITHOUT_HEAP),
    refused(
      ':not(:matches(ImportDeclaration, ExportNamedDeclaration, ExportAllDeclaration, CallExpression[callee.name="assert"])) > Literal[raw=/^["\']/]',
      'a text stands only in an assert',
    ),
    refused('TSTypeAnnotation > TSNumberKeyword', 'say which: u32, f64, …'),
    refused('TSTypeAnnotation > TSBooleanKeyword', 'a truth is a bool here'),
  ],
}

export default defineConfig(
  { ignores: ['dist/', 'lib/', 'coverage/', '.merganser/', 'src/connectors/*/client/generated/'] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' }, rules: everywhere },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // Closures change what it takes for constant.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
      // Slow, and there are no enums here.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // An index that was checked against its bounds: `noUncheckedIndexedAccess` can't see that.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    // The rest is the engine, which the simulation runs; a connector's library and the command line need the real world.
    ignores: ['src/environment/**', 'src/connectors/*/**', 'src/cli/**', 'src/worker.ts'],
    rules: restrictWorld,
  },
  { files: ['src/kernel/assembly/*.ts'], rules: assembly },
  { files: ['src/cli/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: [
      'test/**/*.ts',
      'bench/**/*.{ts,mjs}',
      'proof/**/*.mjs',
      'scripts/**/*.mjs',
      'bin/**/*.js',
      'examples/**/*.ts',
    ],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(only|skip|todo)$/]',
          message: 'every test runs',
        },
      ],
    },
  },
)
