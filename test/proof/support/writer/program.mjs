import { readFileSync, writeFileSync } from 'node:fs'
import { openSession } from '../../../../lib/index.js'

/*
 * A program that uses the library, to be killed, stopped or refused by the system: it opens the session that the file in
 * its argument describes, says what every replica shows, does what it is asked in batches, and says of each when it is
 * acknowledged. One line each, written at once:
 *
 *   loaded | open | rows {replica: {key: value}} | ack COUNT | message TEXT | closed | failed CODE STATUS TEXT | crash STACK
 */
const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const table = 't'
// All of the line: one write to a pipe may take a part only.
const say = (line) => writeFileSync(1, `${line.replaceAll('\n', '\\n')}\n`)

function execute(session, { op, replica, key, from, value }) {
  switch (op) {
    case 'set':
      return session.set(replica, table, { k: key }, { v: value })
    case 'delete':
      return session.delete(replica, table, { k: key })
    case 'merge':
      return session.merge(replica, from)
    case 'fullSync':
      return session.fullSync()
    case 'sync':
      return plan.session.flush === false ? undefined : session.sync()
  }
}

async function rowsOf(session) {
  const shown = {}
  for (const replica of Object.keys(plan.session.replicas)) {
    const rows = await Promise.all(plan.keys.map((k) => session.get(replica, table, { k })))
    shown[replica] = Object.fromEntries(plan.keys.map((k, i) => [k, rows[i]?.v ?? null]))
  }
  return shown
}

async function main() {
  const tables = { [table]: { key: { k: 'string' }, values: { v: 'string' } } }
  const onMessage = (text) => say(`message ${text}`)
  const session = await openSession({ ...plan.session, tables, onMessage })
  say('open')
  try {
    say(`rows ${JSON.stringify(await rowsOf(session))}`)
    for (let done = 0; done < plan.operations.length;) {
      for (const operation of plan.operations.slice(done, done + plan.batch)) await execute(session, operation)
      done = Math.min(done + plan.batch, plan.operations.length)
      await session.durable()
      say(`ack ${String(done)}`)
    }
  } catch (error) {
    // What went wrong first is what matters; closing often fails for the same reason.
    await session.close().catch(() => undefined)
    throw error
  }
  const { exitStatus } = await session.close()
  say('closed')
  process.exitCode = exitStatus
}

say('loaded')
try {
  await main()
} catch (error) {
  const { code, exitStatus, message, stack } = error
  say(
    typeof exitStatus === 'number' && code !== 'BUG'
      ? `failed ${code} ${String(exitStatus)} ${message}`
      : `crash ${stack}`,
  )
  process.exitCode = exitStatus ?? 70
}
