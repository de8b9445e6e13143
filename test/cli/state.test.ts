import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { expectRefused, Workspace } from './support.ts'

const workspace = await Workspace.create()

const LINES = Array.from({ length: 200 }, (_, i) => `HIVE.SET((SID${String(i)},CSE1), ${String(i)})`)

/** A state directory with an oplog of several seals and segments. */
await workspace.write(
  'segments.yaml',
  `replicas:
  HIVE: { type: embedded-warehouse }
durability: { segmentBytes: 65536, commitMilliseconds: 1 }
`,
)
const flags = ['--config', 'segments.yaml', '--no-flush', '--quiet']
for (let i = 0; i < 2; i++) {
  const input = [...LINES, ...Array.from({ length: 1100 }, (_, k) => `HIVE.SET((k${String(k)},c), ${String(i)})`)]
  await workspace.done(['run', '--state', 'origin', ...flags], input.join('\n'))
}
await workspace.done(['run', '--state', 'origin', ...flags], LINES.join('\n'))

/** A copy of that state, to be damaged. */
async function copy(name: string): Promise<string> {
  await cp(workspace.path('origin'), workspace.path(name), { recursive: true })
  return workspace.path(name)
}

/** The exit status of a command over a path. */
const shell = (command: string, path: string) => spawnSync('bash', ['-c', command, 'bash', path]).status

const run = (state: string, ...more: string[]) =>
  workspace.run(['run', '--state', state, ...flags, ...more], { input: 'HIVE.SET((new,line), 1)\n' })
const verify = (state: string) => workspace.run(['oplog', '--verify', '--config', 'segments.yaml', '--state', state])

describe('damaged oplogs', () => {
  it('I7: sets a torn tail aside and says so; nothing acknowledged is missing', async () => {
    const state = await copy('torn')
    await appendFile(`${state}/oplogs.hive`, '2026-11-22 15:11:21.956711651Z, HIVE.SET((torn,')
    const checked = await verify('torn')
    expect(checked).toMatchObject({ status: 0 })
    expect(checked.out).toContain('47 bytes after the last seal were never acknowledged')
    const ended = await run('torn')
    expect(ended.status).toBe(0)
    expect(ended.err).toContain('47 bytes after the last seal of the oplog were never acknowledged')
    expect(await readFile(`${state}/oplogs.hive.torn-1`, 'utf8')).toContain('HIVE.SET((torn,')
    expect((await verify('torn')).out).toContain('verified 2,801 records')
  })

  it('I7: refuses a damaged one and names segment, byte and line; --accept-loss goes on and says what is missing', async () => {
    const state = await copy('damaged')
    const segment = `${state}/oplogs.hive.1`
    const bytes = await readFile(segment)
    const at = bytes.indexOf('SID100,') + 3
    bytes[at] = '9'.charCodeAt(0)
    await writeFile(segment, bytes)
    const checked = await verify('damaged')
    expectRefused(checked, 4, 'OPLOG_DAMAGED', segment)
    expect(checked.err).toMatch(/line \d+|:\d+: OPLOG_DAMAGED/)
    expect(checked.err).toMatch(/byte \d+/)
    expectRefused(
      await workspace.run(['oplog', 'HIVE', '--config', 'segments.yaml', '--state', 'damaged']),
      4,
      'OPLOG_DAMAGED',
      segment,
    )
    // A run needs all of it: the database holds nothing yet.
    expectRefused(await run('damaged'), 4, 'OPLOG_DAMAGED', segment)
    expect(await readFile(segment)).toEqual(bytes)
    const accepted = await run('damaged', '--accept-loss')
    expect(accepted.status).toBe(0)
    expect(accepted.err).toContain('HIVE: ')
    expect((await verify('damaged')).status).toBe(0)
  })

  it('I7: refuses one that ends before what was recorded', async () => {
    const state = await copy('truncated')
    const text = await readFile(`${state}/oplogs.hive`, 'latin1')
    const seal = text.indexOf('# seal ')
    await truncate(`${state}/oplogs.hive`, text.indexOf('\n', seal) + 1)
    expectRefused(await run('truncated'), 4, 'OPLOG_DAMAGED')
    expectRefused(await verify('truncated'), 4, 'OPLOG_DAMAGED')
    const shown = await workspace.run(['status', '--config', 'segments.yaml', '--state', 'truncated'])
    expectRefused(shown, 4, 'OPLOG_DAMAGED')
    expect(shown.out).toContain('damaged')
  })

  it('I7: refuses one without one of its segments, and one that is gone', async () => {
    const state = await copy('gap')
    await rename(`${state}/oplogs.hive.1`, `${state}/kept-elsewhere`)
    expectRefused(await run('gap'), 4, 'OPLOG_MISSING')
    await rename(`${state}/kept-elsewhere`, `${state}/oplogs.hive.1`)
    expect((await run('gap')).status).toBe(0)
    const gone = await copy('gone')
    for (const name of ['oplogs.hive', 'oplogs.hive.1', 'oplogs.hive.2']) await rm(`${gone}/${name}`, { force: true })
    expectRefused(await run('gone'), 4, 'OPLOG_MISSING')
  })

  it('refuses damaged positions', async () => {
    const state = await copy('positions')
    await writeFile(`${state}/positions`, 'garbage')
    expectRefused(await run('positions'), 4, 'OPLOG_DAMAGED', `${state}/positions`)
    expect((await run('positions', '--accept-loss')).status).toBe(0)
  })
})

describe('state directories that can not be used', () => {
  it('refuses a file in its place, and a directory that takes no others', async () => {
    await workspace.write('file', '')
    expectRefused(await run('file'), 4, 'STATE_UNUSABLE', workspace.path('file'))
    expectRefused(await run('file/below'), 4, 'STATE_UNUSABLE')
    expectRefused(await run('/proc/self/none'), 4, 'STATE_UNUSABLE', '/proc/self/none')
    expectRefused(await workspace.run(['status', '--state', 'file']), 4, 'STATE_UNUSABLE')
  })

  it('refuses one that is read-only', async () => {
    const state = await copy('read-only')
    // Root may write anywhere: for root, a directory that even root can't change.
    const root = process.getuid?.() === 0
    shell(root ? 'mount --bind -o ro "$1" "$1"' : 'chmod -R a-w "$1"', state)
    const sure = shell('touch "$1/probe"', state) !== 0
    try {
      // Where mounting isn't allowed either, a lock's place that takes no file does as well.
      if (!sure) await mkdir(`${state}/lock/in-the-way`, { recursive: true })
      const ended = await run('read-only')
      expect(ended.status, ended.err).toBe(4)
      expect(ended.err).toMatch(/STATE_(?:UNUSABLE|LOCKED): /)
      const shown = await workspace.run(['oplog', 'HIVE', '--config', 'segments.yaml', '--state', 'read-only'])
      expect(shown.status).toBe(0)
    } finally {
      shell(root ? 'umount "$1"' : 'chmod -R u+w "$1"', state)
    }
  })

  it('I4: ends where there is no room left, and keeps what was acknowledged', async () => {
    const state = workspace.path('full')
    const lines = Array.from(
      { length: 60_000 },
      (_, i) => `HIVE.SET((k${String(i)},c), ${String(i)})\nHIVE.GET((k${String(i)},c))`,
    )
    await workspace.write('full.in', lines.join('\n'))
    // A limit for the size of files, in KiB, stands in for a full disk.
    const ended = await workspace.run(
      ['run', 'full.in', '--state', 'full', '--no-flush', '--config', 'segments.yaml'],
      {
        shell: "trap '' XFSZ; ulimit -f 48",
      },
    )
    expect(ended.err).toMatch(/STATE_(?:FULL|UNUSABLE): /)
    expect(ended.status).toBe(4)
    expect(ended.err).not.toMatch(/^\s+at /m)
    expect(existsSync(`${state}/lock`)).toBe(false)
    const shown = ended.out.trimEnd() === '' ? [] : ended.out.trimEnd().split('\n')
    const { out } = await workspace.done(['oplog', 'HIVE', '--state', 'full', '--config', 'segments.yaml'])
    for (const line of shown) expect(out).toContain(`, ${line}\n`)
    expect((await run('full')).status).toBe(0)
  })

  it('refuses one of a newer format', async () => {
    const state = await copy('newer')
    const positions = await readFile(`${state}/positions`, 'utf8')
    await writeFile(`${state}/positions`, positions.replace('{"format":1,', '{"format":2,'))
    expectRefused(await run('newer'), 4, 'STATE_FORMAT', `${state}/positions`)
    await writeFile(`${state}/positions`, positions)
    const log = await readFile(`${state}/oplogs.hive`, 'latin1')
    await writeFile(`${state}/oplogs.hive`, log.replace('# merganser oplog 1 ', '# merganser oplog 2 '))
    expectRefused(await run('newer'), 4, 'STATE_FORMAT', `${state}/oplogs.hive`)
  })

  it('I9: refuses one that another process uses; reading goes on beside it', async () => {
    const first = workspace.start(['run', '--state', 'locked', '--config', 'segments.yaml', '--no-flush'])
    first.child.stdin.write('HIVE.SET((a,b), 1)\nHIVE.GET((a,b))\n')
    await first.shows('HIVE.GET((a,b)) = 1')
    const second = await run('locked')
    expectRefused(second, 4, 'STATE_LOCKED', workspace.path('locked'))
    expect(second.err).toContain(`pid ${String(first.child.pid)}`)
    const log = await workspace.done(['oplog', 'HIVE', '--state', 'locked', '--config', 'segments.yaml'])
    expect(log.out).toContain('HIVE.SET((a,b), 1)')
    const status = await workspace.done(['status', '--state', 'locked', '--config', 'segments.yaml'])
    expect(status.out).toContain(`in use by pid ${String(first.child.pid)}`)
    first.child.stdin.end()
    expect((await first.ended).status).toBe(0)
    expect((await run('locked')).status).toBe(0)
  })

  it('I9: takes over the lock of a process that was killed, and status says that it did not end in order', async () => {
    const first = workspace.start(['run', '--state', 'killed', '--config', 'segments.yaml'])
    first.child.stdin.write('HIVE.SET((a,b), 1)\nHIVE.GET((a,b))\n')
    await first.shows('HIVE.GET((a,b)) = 1')
    first.child.kill('SIGKILL')
    await first.ended
    const status = await workspace.done(['status', '--state', 'killed', '--config', 'segments.yaml'])
    expect(status.out).toContain('did not end in order')
    const { out } = await workspace.done(
      ['run', '--state', 'killed', '--config', 'segments.yaml'],
      'HIVE.GET((a,b)) = 1\n',
    )
    expect(out).toBe('HIVE.GET((a,b)) = 1\n')
  })
})
