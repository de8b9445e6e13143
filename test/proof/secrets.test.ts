import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { Workspace } from '../cli/support.ts'
import { record } from '../support/proof.ts'
import { describeOn } from '../support/servers.ts'

// Many processes, one after the other, on a machine that may be busy.
vi.setConfig({ testTimeout: 300_000 })

/*
 * Passwords, tokens and URLs with credentials are never shown: not in messages, reports, files, nor in what other users
 * of the machine see of a process. Each canary stands where a configuration may have a secret; then every command is run,
 * and what it writes is searched for each canary in each way in which it could be written.
 */

const workspace = await Workspace.create({ warm: true })
const CANARIES = {
  password: 'cnry-Pw/9#a b',
  query: 'cnry-Query7%z',
  key: 'cnry-Key_5"q',
  token: 'cnry-Tok3n&x',
  variable: 'cnry-Var8+y',
  phrase: 'cnry-Phrase2',
}
const counts = { commands: 0, files: 0, failures: 0 }
afterAll(() => {
  record({
    name: 'secrets are never shown',
    invariants: ['I8'],
    runs: counts.commands,
    failures: counts.failures,
    injected: { canaries: Object.keys(CANARIES).length, 'files searched': counts.files },
  })
})

/** A secret in each way in which it may be written. */
function spellings(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64')
  const url = encodeURIComponent(secret)
  return [
    ...[secret, url, url.toLowerCase(), encodeURI(secret), encodeURIComponent(url), secret.replaceAll(' ', '+')],
    ...[JSON.stringify(secret).slice(1, -1), base64, base64.replace(/=+$/, ''), Buffer.from(secret).toString('hex')],
    Buffer.from(`x:${secret}`).toString('base64').slice(4, -4),
  ].filter((text) => text.length > 5)
}

const ALL = Object.values(CANARIES).flatMap(spellings)

function expectHidden(text: string, where: string): void {
  const found = ALL.filter((spelling) => text.includes(spelling))
  if (found.length > 0) counts.failures++
  expect(found, `${where}:\n${text.slice(0, 2000)}`).toEqual([])
}

/** Everything in the directory but what the user wrote. */
async function expectFilesHidden(given: readonly string[]): Promise<void> {
  for (const entry of readdirSync(workspace.directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile() || given.includes(path)) continue
    counts.files++
    expectHidden((await readFile(path)).toString('latin1'), path)
  }
}

const url = encodeURIComponent
const { password, query, key, token, variable, phrase } = CANARIES

const VARIABLE = '${APP_TOKEN}'

/** A configuration that holds every canary; `replicas` are further ones. */
function configuration(replicas: string): string {
  return `
durability: { commitMilliseconds: 1 }
retry: { seconds: 1 }
replicas:
  MONGODB: { type: embedded-documents }
  COPY: { type: embedded-documents }
${replicas}
`
}

const UNREACHABLE = `
  HIVE: { type: hive, url: "hive://u:${url(password)}@127.0.0.1:9/d?auth=ldap&connectSeconds=0.2&set:hive.password=${url(query)}" }
  POSTGRESQL:
    type: postgres
    url: "postgres://u:${url(password)}@127.0.0.1:9/d?sslpassword=${url(phrase)}&connect_timeout=1"
    password: "${VARIABLE}"
  THIRD:
    type: mongodb
    url: "mongodb://u:${url(password)}@127.0.0.1:9/d?authSource=admin&tlsCertificateKeyFilePassword=${url(query)}&serverSelectionTimeoutMS=100"
    connectSeconds: 1
`

const WRONG = {
  'an unknown option': `  HIVE: { type: hive, url: "hive://h/d", apiKey: '${key}' }`,
  'a url that is none': `  POSTGRESQL: { type: postgres, url: "postgres//u:${url(password)}@h/d?password=${url(query)}" }`,
  'a url of another kind': `  HIVE: { type: hive, url: "https://u:${url(password)}@h/d?token=${url(token)}" }`,
  'an unknown parameter': `  HIVE: { type: hive, url: "hive://u:${url(password)}@h/d?password=${url(query)}" }`,
  'an unknown type': `  X: { type: postgre, password: '${key}', token: "${token}" }`,
  'a port that is none': `  POSTGRESQL: { type: postgres, url: "postgres://u:${url(password)}@h:99999/d" }`,
  'a url without a beginning': `  POSTGRESQL: { type: postgres, url: "u:${url(password)}@h:5432/d" }`,
  'a bad percent': `  HIVE: { type: hive, url: "hive://u:${phrase}%zz@h/d" }`,
  'no YAML': `  HIVE: { type: hive, password: '${key}', url: [ }`,
  'a variable in a wrong place': `  HIVE: { type: "${VARIABLE}", url: x }`,
  'a MongoDB without a database': `  THIRD: { type: mongodb, url: "mongodb://u:${url(password)}@h/?password=${url(query)}" }`,
}

const COMMANDS: readonly (readonly string[])[] = [
  ['config'],
  ['doctor'],
  ['status'],
  ['check', 's.in'],
  ['run', 's.in', '--report', 'report.json', '--debug'],
  ['run', 's.in', '--dry-run', '--debug'],
  ['sync', '--report', 'sync.json'],
  ['load', 'all', 'rows.csv', '--report', 'load.json', '--no-flush'],
  ['load', 'POSTGRESQL', 'rows.jsonl', '--debug'],
  ['query', 'POSTGRESQL', '--debug'],
  ['query', 'HIVE', '--output', 'out.txt'],
  ['query', 'THIRD', '--debug'],
  ['diff', 'POSTGRESQL', 'MONGODB', '--debug'],
  ['diff', 'THIRD', 'HIVE'],
  ['copy', 'POSTGRESQL', 'MONGODB'],
  ['copy', 'MONGODB', 'COPY'],
  ['repair', 'POSTGRESQL', 'MONGODB', '--plan', 'plan.in', '--debug'],
  ['repair', 'MONGODB', 'COPY'],
  ['oplog', 'MONGODB'],
  ['oplog', '--verify'],
  ['completion', 'bash'],
  ['simulate', '--oplogs', '.merganser', '--faults', 'none', '--seeds', '1'],
]

async function everyCommand(name: string, config: string, commands = COMMANDS): Promise<void> {
  const path = await workspace.write(`${name}.yaml`, config)
  await workspace.write('s.in', 'MONGODB.SET((a, b), c)\nFULL_SYNC\nTHIRD.GET((a, b)) = d\nHIVE.SET(x\n')
  await workspace.write('rows.csv', 'student_id,course_id,grade\na,b,c\nx\n')
  await workspace.write('rows.jsonl', '{"student_id":"a","course_id":"b","grade":"c"}\n{"x":\n')
  for (const command of commands) {
    counts.commands++
    const named = command[0] === 'completion' || command[0] === 'simulate' ? [] : ['--config', path]
    // These end their process, so that a connection that hangs doesn't hold it.
    const own = ['doctor', 'run', 'sync', 'load'].includes(command[0]!) ? { env: { APP_TOKEN: variable } } : {}
    const { out, err } = await workspace.run([...command, ...named], own)
    expectHidden(out + err, `${name}: merganser ${command.join(' ')}`)
  }
}

test('I8: with databases that are away, no command shows a secret, and no file holds one', async () => {
  process.env['APP_TOKEN'] = variable
  try {
    await everyCommand('away', configuration(UNREACHABLE))
  } finally {
    delete process.env['APP_TOKEN']
  }
  await expectFilesHidden([workspace.path('away.yaml')])
})

test.each(Object.entries(WRONG))('I8: no error of the configuration shows a secret: %s', async (name, replicas) => {
  process.env['APP_TOKEN'] = variable
  const file = `wrong-${name.replaceAll(' ', '-')}`
  const commands = [['config'], ['doctor', '--debug'], ['run', 's.in', '--debug'], ['query', 'HIVE', '--debug']]
  await everyCommand(file, configuration(replicas), commands)
})

describeOn(['postgres', 'mongodb'], 'real servers that refuse', (postgresUrl, mongodbUrl) => {
  test('I8: a wrong password is not shown, at PostgreSQL, and at MongoDB with one that it does not know', async () => {
    const wrong = new URL(postgresUrl)
    wrong.password = password
    const other = new URL(mongodbUrl)
    ;[other.username, other.password] = ['nobody', password]
    const replicas = `
  POSTGRESQL: { type: postgres, url: "${wrong.href}" }
  THIRD: { type: mongodb, url: "${other.href}", connectSeconds: 2 }
  HIVE: { type: hive, url: "hive://u:${url(password)}@127.0.0.1:9/d?connectSeconds=0.2" }`
    const commands = COMMANDS.filter(([name]) => ['config', 'doctor', 'run', 'query', 'diff'].includes(name!))
    await everyCommand('refused', configuration(replicas), commands)
    await expectFilesHidden(['away.yaml', 'refused.yaml', ...wrongFiles()].map((name) => workspace.path(name)))
  })
})

const wrongFiles = () => Object.keys(WRONG).map((name) => `wrong-${name.replaceAll(' ', '-')}.yaml`)

test('I8: what others see of its processes holds no secret, and its children get none', async () => {
  // Only such as answer: a session waits for others. An option that came from a variable is there all the same.
  const replica = `{ type: embedded-postgres, systemDirectory: "/var/lib/${VARIABLE}" }`
  await workspace.write('processes.yaml', `replicas: { POSTGRESQL: ${replica} }\n`)
  const args = ['run', '-', '--config', 'processes.yaml', '--state', 'running']
  const { child, ended, shows } = workspace.start(args, { env: { APP_TOKEN: variable } })
  try {
    child.stdin.write('POSTGRESQL.SET((a, b), c)\nPOSTGRESQL.SYNC\nPOSTGRESQL.GET((a, b))\n')
    await shows('= c')
    const family = familyOf(child.pid!)
    expect(family.length).toBeGreaterThan(2)
    for (const [n, pid] of family.entries()) {
      expectHidden(readFileSync(`/proc/${String(pid)}/cmdline`, 'latin1'), 'a command line')
      if (n > 0) expectHidden(readFileSync(`/proc/${String(pid)}/environ`, 'latin1'), "a child's environment")
    }
  } finally {
    // In order, so that its database has ended too before the directory is removed.
    child.stdin.end()
    await ended
  }
  counts.commands++
})

/** A process and all below it. */
function familyOf(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      return [[Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const]
    } catch {
      return []
    }
  })
  const family = [pid]
  for (const one of family) family.push(...parents.filter(([, parent]) => parent === one).map(([child]) => child))
  return family
}
