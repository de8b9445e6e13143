import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { main } from '../../lib/cli/main.js'

/*
 * A process that runs one command line after the other, without the half second that a new one takes to load the
 * program. Told `{ args, cwd, input }` it answers `{ status, out, err }`.
 */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

const captured = { stdout: [], stderr: [] }
for (const name of ['stdout', 'stderr']) {
  process[name].write = (data) => {
    // Bytes are lent until the write is done.
    captured[name].push(Buffer.from(data))
    return true
  }
}

function takeText(name) {
  const text = Buffer.concat(captured[name]).toString('utf8')
  captured[name] = []
  return text
}

/** What a command leaves in its process, which would end with it. */
function forget() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  for (const name of ['stdout', 'stderr']) process[name].removeAllListeners('error')
  process.exitCode = 0
}

process.on('message', async ({ args, cwd, input }) => {
  process.chdir(cwd)
  Object.defineProperty(process, 'stdin', { value: Readable.from([Buffer.from(input)]), configurable: true })
  await main(args, version)
  const status = process.exitCode ?? 0
  const answer = { status, out: takeText('stdout'), err: takeText('stderr') }
  forget()
  process.send(answer)
})
