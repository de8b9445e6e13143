import { createHash } from 'node:crypto'
import { lstatSync, readdirSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { preparePlace } from '../../src/connectors/embedded-postgres/place.ts'
import { openLog } from '../../src/oplog/recover.ts'
import { Workspace } from '../cli/support.ts'
import { environment, failureOf } from '../oplog/support.ts'
import { record } from '../support/proof.ts'

// Many processes, one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 300_000 })

/*
 * What Merganser writes is for its owner alone, whatever umask it is started with, and a symbolic link in the place of
 * something of its own is never followed.
 */

const UMASKS = ['000', '077']
const cold = await Workspace.create()
const warm = await Workspace.create({ warm: true })
const counts = { paths: 0, links: 0, failures: 0 }

/** All below a directory: the path, what it is, and its mode. */
function modesBelow(directory: string): { path: string; kind: 'directory' | 'link' | 'other'; mode: number }[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => {
    const found = lstatSync(join(directory, name))
    const kind = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'link' : 'other'
    return { path: name, kind, mode: found.mode & 0o777 }
  })
}

function expectPrivate(directory: string): string[] {
  expect(lstatSync(directory).mode & 0o777, directory).toBe(0o700)
  const found = modesBelow(directory)
  const open = found.filter(({ kind, mode }) => kind !== 'link' && mode !== (kind === 'directory' ? 0o700 : 0o600))
  counts.paths += found.length
  counts.failures += open.length
  expect(open).toEqual([])
  return found.map(({ path }) => path)
}

const SCRIPT = `${Array.from({ length: 1500 }, (_, i) => `HIVE.SET((s${String(i)}, c), a)`).join('\n')}
HIVE.SYNC
FULL_SYNC
HIVE.SET((s1, c), b)
HIVE.GET((s1, c))
`

beforeAll(async () => {
  for (const workspace of [cold, warm]) {
    const config = await readFile(workspace.path('merganser.yaml'), 'utf8')
    await workspace.write('merganser.yaml', `durability: { segmentBytes: 65536 }\n${config}`)
    await workspace.write('all.in', SCRIPT)
    await workspace.write('one.in', 'HIVE.SET((a, b), c)\nFULL_SYNC\n')
  }
})

afterAll(() => {
  record({
    name: 'files are private and links are not followed',
    invariants: ['I8'],
    runs: counts.paths + counts.links,
    failures: counts.failures,
    injected: { 'paths looked at under umask 000 and 077': counts.paths, 'symbolic links': counts.links },
  })
})

test.each(UMASKS)('under umask %s all files of the state are 0600, all directories 0700', async (umask) => {
  const state = cold.path(`state-${umask}`)
  const shell = `umask ${umask}`
  const args = ['--state', state, '--quiet']
  // Killed in the middle, it leaves what an orderly end takes away.
  const { child, ended, shows } = cold.start(['run', '-', '--state', state], { shell })
  child.stdin.write(SCRIPT)
  await shows('= b')
  child.kill('SIGKILL')
  await ended
  expect(expectPrivate(state)).toEqual(
    expect.arrayContaining(['lock', 'oplogs.hive.1', 'databases/hive/lock', 'databases/hive/warehouse.duckdb.wal']),
  )
  const rejects = await cold.write(`rows-${umask}.csv`, 'student_id,course_id,grade\na,b,c\nx\n')
  const each: readonly (readonly string[])[] = [
    ['load', 'HIVE', rejects],
    ['repair', 'HIVE', 'MONGODB', '--plan', cold.path(`plan-${umask}.in`)],
    ['repair', 'HIVE', 'MONGODB'],
  ]
  for (const command of each) {
    const { status, err } = await cold.run([...command, ...args], { shell })
    expect(status, err).toBeLessThan(2)
  }
  expect(expectPrivate(state)).toEqual(expect.arrayContaining(['positions', expect.stringMatching(/^repairs\/.*undo/)]))
  for (const file of [`rows-${umask}.csv.rejects.csv`, `plan-${umask}.in`]) {
    expect(lstatSync(cold.path(file)).mode & 0o777, file).toBe(0o600)
  }
  // What the user names is as the user's umask has it.
  const report = cold.path(`report-${umask}.json`)
  await cold.run(['run', 'all.in', '--fresh', '--report', report, ...args], { shell })
  expect(lstatSync(report).mode & 0o777).toBe(0o666 & ~parseInt(umask, 8))
  expect(expectPrivate(state).some((path) => /^archive-[^/]*\/databases\/hive\/warehouse.duckdb$/.test(path))).toBe(
    true,
  )
})

test('the data of embedded PostgreSQL belongs to its own user where root runs it, whatever the umask', async ({
  skip,
}) => {
  if (process.getuid?.() !== 0) return skip('only root can run it as another user')
  const root = await mkdtemp(join(tmpdir(), 'merganser-system-'))
  try {
    await chmod(root, 0o711)
    const systemDirectory = join(root, 'made', 'here')
    const replica = `{ type: embedded-postgres, systemUser: nobody, systemDirectory: "${systemDirectory}" }`
    const config = await cold.write('system.yaml', `replicas: { POSTGRESQL: ${replica} }\n`)
    const script = await cold.write('one.in', 'POSTGRESQL.SET((a, b), c)\nSYNC\nPOSTGRESQL.GET((a, b)) = c\n')
    const state = cold.path('state-system')
    const { status, err } = await cold.run(['run', script, '--config', config, '--state', state], {
      shell: 'umask 077',
    })
    expect(status, err).toBe(0)
    const base = await realpath(join(state, 'databases', 'postgresql', 'server'))
    expect(dirname(base)).toBe(systemDirectory)
    const owner = lstatSync(base).uid
    expect(owner).not.toBe(0)
    const found = readdirSync(base, { recursive: true, encoding: 'utf8' })
    // The log is written by who starts the server.
    const foreign = found.filter((name) => name !== 'log' && lstatSync(join(base, name)).uid !== owner)
    expect(foreign).toEqual([])
    expectPrivate(base)
    expectPrivate(join(state, 'databases'))
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 })
  }
})

/** What is linked, and which command meets it first. */
const LINKED: readonly (readonly [path: string, command: readonly string[]])[] = [
  ['lock', ['sync']],
  ['positions', ['sync']],
  ['oplogs.hive', ['sync']],
  ['oplogs.hive.1', ['oplog', 'HIVE']],
  ['oplogs.mongodb', ['run', 'one.in']],
  ['databases', ['sync']],
  ['databases', ['query', 'HIVE']],
  ['databases/hive', ['run', 'one.in']],
  ['databases/hive', ['diff', 'HIVE', 'MONGODB']],
  ['databases/hive/warehouse.duckdb', ['run', 'one.in']],
  ['databases/hive/warehouse.duckdb', ['query', 'HIVE']],
  ['databases/hive/warehouse.duckdb.wal', ['run', 'one.in']],
  ['databases/hive/temporary', ['run', 'one.in']],
  ['databases/hive/lock', ['run', 'one.in']],
  ['databases/mongodb/documents.mdb', ['run', 'one.in']],
  ['databases/mongodb/documents.mdb', ['query', 'MONGODB']],
  ['databases/mongodb/documents.mdb-lock', ['run', 'one.in']],
  ['databases/mongodb/owner.lock', ['run', 'one.in']],
  ['copies', ['copy', 'HIVE', 'MONGODB']],
  ['repairs', ['repair', 'HIVE', 'MONGODB']],
]

test('no command follows a symbolic link in the state directory, of whatever kind the file is', async () => {
  await warm.done(['run', 'all.in', '--state', warm.path('made'), '--quiet'])
  for (const [path, command] of LINKED) {
    counts.links++
    const state = warm.path(`linked-${String(counts.links)}`)
    await cp(warm.path('made'), state, { recursive: true })
    const [name, away] = [join(state, path), warm.path(`away-${String(counts.links)}`)]
    // What was there, put elsewhere; a file that isn't there now would be made at the link's end.
    await rename(name, away).catch(() => undefined)
    if (path.endsWith('.wal') || path.endsWith('lock')) await rm(away, { force: true })
    await symlink(away, name)
    const before = await treeOf(away)
    const { status, err, out } = await warm.run([...command, '--state', state])
    const what = `${relative(state, name)} as a link, ${command[0]!}: ${err}${out}`
    expect(status, what).toBe(4)
    expect(`${err}${out}`, what).toContain('STATE_UNUSABLE')
    expect(err, what).not.toContain('BUG')
    expect(await treeOf(away), what).toEqual(before)
  }
})

test('nor does embedded PostgreSQL, but to the place of a server of another user', async () => {
  const options = { systemUser: undefined, systemDirectory: '/nowhere' }
  for (const name of ['', 'data', 'guard', 'log']) {
    counts.links++
    const directory = cold.path(`place-${name}`)
    await mkdir(join(directory, name === '' ? '' : 'server'), { recursive: true })
    const away = cold.path(`place-away-${name}`)
    await mkdir(away)
    await symlink(away, join(directory, 'server', name).replace(/\/$/, ''))
    const failure = await failureOf(preparePlace(directory, options))
    expect(failure.code, name).toBe('STATE_UNUSABLE')
    expect(readdirSync(away)).toEqual([])
  }
})

test('what is set aside of a log never goes through a link', async () => {
  const directory = cold.path('set-aside')
  await cp(warm.path('made'), directory, { recursive: true })
  const log = join(directory, 'oplogs.hive')
  await writeFile(log, Buffer.concat([await readFile(log), Buffer.from('half a li')]))
  const away = cold.path('set-aside-away')
  await symlink(away, `${log}.torn-1`)
  counts.links++
  const { report, writer } = await openLog(environment, directory, 'HIVE')
  await writer.close()
  expect(report.torn?.setAside).toBe(`${log}.torn-2`)
  expect(await treeOf(away)).toEqual([])
})

const sumOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** What is there, to be compared: names, kinds, and sums of files. */
async function treeOf(path: string): Promise<unknown[]> {
  const found = await realpath(path).catch(() => undefined)
  if (found === undefined) return []
  if (!lstatSync(found).isDirectory()) return [sumOf(await readFile(found))]
  const names = readdirSync(found, { recursive: true, encoding: 'utf8' }).sort()
  return await Promise.all(
    names.map(async (name) => {
      const file = join(found, name)
      return [name, lstatSync(file).isDirectory() ? undefined : sumOf(await readFile(file))]
    }),
  )
}
