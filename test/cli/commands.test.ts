import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Workspace } from './support.ts'

const workspace = await Workspace.create()
const root = new URL('../../', import.meta.url)

await workspace.write(
  'tables.yaml',
  `tables:
  grades: { key: { student: string, course: string }, values: { grade: string } }
  rooms: { key: { id: int64 }, values: { name: string, seats: int64 } }
replicas:
  HIVE: { type: embedded-warehouse }
  MONGODB: { type: embedded-documents }
`,
)
const flags = ['--config', 'tables.yaml', '--state', 'state']
await workspace.done(
  ['run', ...flags, '--no-flush', '--quiet'],
  `HIVE.SET((SID1,"CSE, 1"), A)
MONGO.SET((SID1,"CSE, 1"), B)
HIVE.SET((SID2,CSE2), "x, HIVE.SET((SID1,\\"CSE, 1\\"), Z)")
HIVE.rooms.SET((7), {name: "Lab", seats: 20})
HIVE.MERGE(MONGO)
HIVE.GET((SID1,"CSE, 1")) = B
`,
)

const oplog = async (...args: string[]) => {
  const { out } = await workspace.done(['oplog', ...args, ...flags])
  return out.trimEnd().split('\n')
}
/** Without what differs from run to run. */
const stripped = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/^[^#][^,]*, /, '').replaceAll(/2\d{3}-\d\d-\d\d [\d:.]+Z/g, 'STAMP'))

describe('merganser oplog', () => {
  it('prints a log that run replays to the same rows', async () => {
    const { out } = await workspace.done(['oplog', 'MONGO', ...flags])
    await workspace.write('again.in', out)
    await workspace.done(['run', 'again.in', '--config', 'tables.yaml', '--state', 'again', '--no-flush', '--quiet'])
    const again = await workspace.done(['oplog', 'MONGODB', '--config', 'tables.yaml', '--state', 'again'])
    const records = (text: string) => text.split('\n').filter((line) => !line.startsWith('#'))
    expect(records(again.out)).toEqual(records(out))
  })

  it('finds the history of a key in any spelling, its conflicts too, and nothing else', async () => {
    const wanted = [
      'HIVE.SET((SID1,"CSE, 1"), A)',
      'HIVE.SET((SID1,"CSE, 1"), B)',
      '# conflict (SID1,"CSE, 1") grade won STAMP@MONGODB lost STAMP@HIVE',
      'HIVE.GET((SID1,"CSE, 1")) = B',
    ]
    for (const key of ['(SID1,"CSE, 1")', '"SID1" , "CSE, 1"', ' ("SID\\u0031","CSE, 1") ']) {
      expect(stripped(await oplog('hive', '--key', key))).toEqual(wanted)
    }
    expect(stripped(await oplog('HIVE', '--key', '007'))).toEqual(['HIVE.rooms.SET((7), {name: Lab, seats: 20})'])
    expect(await oplog('HIVE', '--key', '7', '--table', 'ROOMS')).toHaveLength(1)
    expect(await oplog('HIVE', '--key', 'SID1,nothing')).toEqual([''])
  })

  it('prints from a stamp on, or from the beginning of one', async () => {
    const all = await oplog('HIVE')
    const records = all.filter((line) => !line.startsWith('#'))
    const stamp = records.at(-1)!.slice(0, 30)
    expect(await oplog('HIVE', '--since', `${stamp}@HIVE`)).toContain(records.at(-1))
    expect((await oplog('HIVE', '--since', stamp)).filter((line) => !line.startsWith('#'))).toEqual([records.at(-1)])
    const day = await oplog('HIVE', '--since', stamp.slice(0, 10))
    expect(day.filter((line) => !line.startsWith('#'))).toEqual(records)
    expect(await oplog('HIVE', '--since', '2250')).toEqual([''])
  })

  it('verifies headers, seals and records, and says how many', async () => {
    const { out } = await workspace.done(['oplog', '--verify', ...flags])
    expect(out).toMatch(/^HIVE: verified 5 records, [\d,]+ bytes in 1 segment$/m)
    expect(out).toMatch(/^MONGODB: verified 1 record, [\d,]+ bytes in 1 segment$/m)
  })
})

describe('merganser status', () => {
  it('shows replicas, oplogs, what is pending and what was seen', async () => {
    const { out } = await workspace.done(['status', ...flags])
    expect(out).toMatch(/^HIVE +embedded-warehouse +5 +[\d,]+ +1 +0 +5 +0 +2\d{3}-/m)
    expect(out).toMatch(/^HIVE +- +1 \/ 1$/m)
    const status = JSON.parse((await workspace.done(['status', '--json', ...flags])).out) as object
    expect(status).toMatchObject({
      exists: true,
      holder: null,
      endedInOrder: true,
      replicas: [
        { name: 'HIVE', flushed: 0, pending: 5, seen: { MONGODB: 1 } },
        { name: 'MONGODB', pending: 1 },
      ],
    })
  })

  it('says where there is no state yet, and makes none', async () => {
    const { out } = await workspace.done(['status', '--state', 'none'])
    expect(out).toContain('nothing there yet')
    expect((await workspace.done(['status', '--state', 'none'])).out).toContain('nothing there yet')
  })
})

describe('merganser config', () => {
  it('prints what is in effect, without secrets, in a form that it reads again', async () => {
    await workspace.write(
      'secret.yaml',
      'replicas:\n  HIVE: { type: embedded-warehouse, password: geheim, url: "${DATABASE_URL}" }\n',
    )
    const env = { DATABASE_URL: 'hive://me:hidden@host/db' }
    const { out, status } = await workspace.run(['config', '--config', 'secret.yaml', '--workers', '3'], { env })
    expect(status).toBe(0)
    expect(out).not.toMatch(/geheim|hidden/)
    expect(parse(out)).toMatchObject({ workers: 3, replicas: { HIVE: { type: 'embedded-warehouse' } } })
    const { out: plain } = await workspace.done(['config'])
    await workspace.write('printed.yaml', plain)
    expect((await workspace.done(['config', '--config', 'printed.yaml'])).out).toBe(plain)
  })

  it('prints the JSON schema', async () => {
    const { out } = await workspace.done(['config', '--schema'])
    expect(JSON.parse(out)).toMatchObject({ title: 'merganser.yaml', type: 'object' })
  })
})

describe('help', () => {
  it('shows commands and examples, for each command too, on standard output', async () => {
    const { out, err } = await workspace.done(['--help'])
    expect(err).toBe('')
    const commands = [...out.matchAll(/^ {2}([a-z]+) \[?/gm)]
      .map((match) => match[1]!)
      .filter((name) => name !== 'help')
    expect(commands).toEqual(
      expect.arrayContaining(['run', 'sync', 'check', 'oplog', 'status', 'config', 'completion']),
    )
    for (const command of commands.filter((name) => name !== 'merganser')) {
      const help = await workspace.done([command, '--help'])
      expect(help.out, command).toContain('Examples:\n')
      expect(help.out).toContain(`Usage: merganser ${command}`)
    }
  })

  it('shows the help on standard error where no command is named', async () => {
    const { status, out, err } = await workspace.run([])
    expect({ status, out }).toEqual({ status: 2, out: '' })
    expect(err).toContain('Usage: merganser')
  })

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as { version: string }
    expect((await workspace.done(['--version'])).out).toBe(`${version}\n`)
    expect((await workspace.done(['-V'])).out).toBe(`${version}\n`)
  })

  it('completes commands and options in a shell', async () => {
    const { out } = await workspace.done(['completion', 'bash'])
    const ask = `COMP_WORDS=(merganser run --ke); COMP_CWORD=2; _merganser; echo "\${COMPREPLY[@]}"
COMP_WORDS=(merganser sta); COMP_CWORD=1; _merganser; echo "\${COMPREPLY[@]}"`
    const answer = spawnSync('bash', ['-c', `${out}\n${ask}`], { encoding: 'utf8' })
    expect(answer.stdout).toBe('--keep-going\nstatus\n')
    expect((await workspace.done(['completion', 'zsh'])).out).toContain('#compdef merganser')
    expect((await workspace.done(['completion', 'fish'])).out).toContain('complete -c merganser')
  })
})
