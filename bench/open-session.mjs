// Opens a session in an empty state directory and says what that took: `{"time": ms, "memory": MB}`.
//   node open-session.mjs kernel|model STATE
import { loadConnector } from '../dist/connectors/registry.js'
import { openSession } from '../dist/engine/session.js'
import { nodeEnvironment } from '../dist/environment/node.js'
import { configOf } from '../dist/library/options.js'
import '../dist/library/session.js'
import { peakOf } from './processes.mjs'
import { TABLES } from './rows.mjs'

const [kind, state] = process.argv.slice(2)
const options = { tables: TABLES, state, flush: false }

/** As a program opens it; what that has to load of its own counts. */
async function openDefault() {
  const library = await import('../dist/index.js')
  return await library.openSession(options)
}

/** The same session over the model: put together without the composition root, which would load the kernel. */
async function openModel() {
  const { ModelState } = await import('../dist/core/model/model-state.js')
  const { config, events, flags } = configOf(options)
  const replicas = config.replicas.map(async ({ name, type, options: given }) => {
    const connector = await loadConnector(type)
    return { name, connector, options: connector.options(given) }
  })
  return await openSession({
    ...flags,
    environment: nodeEnvironment(new URL('../dist/worker.js', import.meta.url)),
    stateDirectory: config.state,
    tables: config.tables,
    replicas: await Promise.all(replicas),
    aliases: config.aliases,
    workers: config.workers,
    limits: config.limits,
    durability: config.durability,
    retrySeconds: config.retry.seconds,
    makeState: (limits) => new ModelState(limits),
    sink: undefined,
    events,
  })
}

const started = performance.now()
const session = await (kind === 'model' ? openModel() : openDefault())
const time = performance.now() - started
console.log(JSON.stringify({ time, memory: peakOf('self') }))
await session.close()
