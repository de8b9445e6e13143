import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { MerganserError } from '../../core/errors.ts'

/*
 * PostgreSQL refuses to run as root, and as a user without an entry in /etc/passwd. Then it runs in a user namespace,
 * where our own user has the name of another one while its files stay ours; or, where namespaces are forbidden, as a
 * system user for real.
 */

/** As whom the server runs. */
export interface Account {
  readonly kind: 'own' | 'namespace' | 'system'
  /** What to put before a command. */
  readonly prefix: readonly string[]
  /** 'system' only. */
  readonly uid?: number
  readonly gid?: number
}

interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

const OWN: Account = { kind: 'own', prefix: [] }
/** In this order the users that a server may run as; nobody is everywhere. */
const SYSTEM_USERS = ['postgres', 'nobody']

/**
 * Chooses the account.
 * @param systemUser forces the server to run as that user, where we are root
 */
export async function chooseAccount(systemUser: string | undefined): Promise<Account> {
  const uid = process.getuid?.() ?? -1
  const users = await systemUsers()
  if (systemUser !== undefined && uid === 0) return systemAccount(users, [systemUser])
  if (uid !== 0 && (users.length === 0 || users.some((user) => user.uid === uid))) return OWN
  const namespace = namespaceAccount(users)
  if (namespace !== undefined && (await succeeds([...namespace.prefix, 'true']))) return namespace
  return uid === 0 ? systemAccount(users, SYSTEM_USERS) : OWN
}

/** The account of a user that data on disk belongs to. */
export async function accountOf(uid: number): Promise<Account> {
  const user = (await systemUsers()).find((entry) => entry.uid === uid)
  return user === undefined ? OWN : systemAccount([user], [user.name])
}

function namespaceAccount(users: readonly User[]): Account | undefined {
  const user = users.find(({ name }) => name === 'nobody') ?? users.find((entry) => entry.uid !== 0)
  if (user === undefined) return undefined
  return {
    kind: 'namespace',
    prefix: ['unshare', '--user', `--map-user=${String(user.uid)}`, `--map-group=${String(user.gid)}`],
  }
}

function systemAccount(users: readonly User[], names: readonly string[]): Account {
  for (const name of names) {
    const user = users.find((entry) => entry.name === name && entry.uid !== 0)
    if (user !== undefined) return { kind: 'system', prefix: [], uid: user.uid, gid: user.gid }
  }
  throw new MerganserError(
    'DATABASE_REFUSED',
    `PostgreSQL doesn't run as root, and there is no user ${names.join(' or ')}`,
    {
      advice: 'run as another user, allow user namespaces, or name a user in MERGANSER_POSTGRES_USER',
    },
  )
}

async function systemUsers(): Promise<User[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    if (name === undefined || uid === undefined || gid === undefined) return []
    return [{ name, uid: Number(uid), gid: Number(gid) }]
  })
}

async function succeeds(command: readonly string[]): Promise<boolean> {
  if (!(await onPath(command[0]!))) return false
  return await new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore', timeout: 5000 })
    child.on('error', () => {
      resolve(false)
    })
    child.on('exit', (code) => {
      resolve(code === 0)
    })
  })
}

async function onPath(program: string): Promise<boolean> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}
