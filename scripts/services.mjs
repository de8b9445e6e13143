import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { say } from './run.mjs'
import { checkoutDirectory, runningDirectory, SERVICES, servicesNamed } from './services/all.mjs'
import { removeEntries } from './services/cache.mjs'
import { ServiceError } from './services/command.mjs'
import { down, recordOf, records, up } from './services/running.mjs'
import { assignment } from './services/urls.mjs'
import { setUpOrExit } from './setup.mjs'

const USAGE = `npm run services -- up [--fast] [NAME ...]   start servers, provisioning what they need first
                    down [NAME ...]          stop those that \`up\` started, with their data
                    status                   which run, and which can't run here and why
                    urls                     shell assignments that point tests at those that run
                    clean [NAME ...]         remove what was provisioned
names: ${SERVICES.map(({ name }) => name).join(', ')}; without one: ${servicesNamed([])
  .map(({ name }) => name)
  .join(', ')}`

const COMMANDS = {
  /** Status 1 where one of them can't run. */
  async up(names, options) {
    const found = await up(checkoutDirectory(), servicesNamed(names), say, options)
    for (const [name, { url, started, missing }] of found) {
      if (missing !== undefined) say(`${name}: not here: ${missing}`)
      else if (!started) say(`${name}: runs already`)
      if (url !== undefined) console.log(assignment(name, url))
    }
    if ([...found.values()].some(({ missing }) => missing !== undefined)) process.exitCode = 1
  },

  async down(names) {
    const services = names.length === 0 ? SERVICES : servicesNamed(names)
    const stopped = await down(checkoutDirectory(), services, say)
    say(stopped.length === 0 ? 'nothing ran' : `stopped ${stopped.join(', ')}`)
  },

  async status() {
    for (const service of SERVICES) {
      const record = recordOf(checkoutDirectory(), service.name)
      const missing = record === undefined ? await service.missing({}) : undefined
      const runs = `runs on port ${String(record?.port)}, process ${String(record?.pid)}`
      const state = record === undefined ? (missing === undefined ? 'stopped' : `can't run here: ${missing}`) : runs
      console.log(`${service.name.padEnd(8)}  ${service.title}: ${state}`)
    }
  },

  urls() {
    for (const { name, url } of records(checkoutDirectory())) console.log(assignment(name, url))
  },

  async clean(names) {
    const services = names.length === 0 ? SERVICES : servicesNamed(names)
    const directories = existsSync(runningDirectory()) ? readdirSync(runningDirectory()) : []
    for (const directory of directories.map((name) => join(runningDirectory(), name))) {
      const running = services.find(({ name }) => recordOf(directory, name) !== undefined)
      if (running !== undefined) throw new ServiceError(`${running.name} runs, in ${directory}: stop it first (down)`)
    }
    const others = names.length === 0 ? ['libfaketime'] : []
    const removed = await removeEntries([...services.flatMap(({ entries }) => entries), ...others], say)
    say(removed.length === 0 ? 'nothing was provisioned' : `removed ${removed.join(', ')}`)
  },
}

/** `npm run services -- COMMAND`: real servers for development and tests. */
async function main([command, ...args]) {
  const flags = args.filter((arg) => arg.startsWith('-'))
  const names = args.filter((arg) => !arg.startsWith('-'))
  const known = command === 'up' ? ['--fast'] : []
  if (!Object.hasOwn(COMMANDS, command ?? '') || flags.some((flag) => !known.includes(flag))) {
    say(USAGE)
    process.exitCode = ['help', '--help', '-h'].includes(command) ? 0 : 2
    return
  }
  await setUpOrExit({ build: false })
  await COMMANDS[command](names, { fast: flags.includes('--fast') })
}

// What is under way is ended by those who listen to the exit.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))
try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ServiceError)) throw error
  say(error.message)
  process.exitCode = 1
}
