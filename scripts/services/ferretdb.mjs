import { cpSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { ask, onPath, step } from './command.mjs'

const SOURCE = fileURLToPath(new URL('ferretdb/', import.meta.url))
const FILES = ['main.go', 'go.mod', 'go.sum']

const recipe = {
  name: 'ferretdb',
  version: '1.24.2',
  files: FILES.map((name) => join(SOURCE, name)),
  also: [`${process.platform}-${process.arch}`],
  async build(directory, report) {
    report('compiling; this takes 1 to 3 minutes')
    const source = join(directory, 'source')
    mkdirSync(source)
    for (const name of FILES) cpSync(join(SOURCE, name), join(source, name))
    const env = { ...process.env, CGO_ENABLED: '0' }
    const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', join(directory, 'ferretdb'), '.']
    await step('go build', 'go', args, { cwd: source, env })
  },
}

/** A server that speaks MongoDB's protocol and can little of it: no transactions, no pipeline updates. */
export const ferretdb = {
  name: 'ferretdb',
  title: 'FerretDB 1.24.2 over SQLite (MongoDB protocol)',
  entries: [recipe.name],
  stopSignal: 'SIGTERM',

  async missing() {
    if (onPath('go') === undefined) return 'install Go 1.24 or later'
    const version = await ask('go', ['env', 'GOVERSION'])
    const minor = Number(/^go1\.(\d+)/.exec(version ?? '')?.[1])
    // Since 1.21 it fetches the compiler that go.mod asks for.
    return minor >= 21 ? undefined : `install Go 1.24 or later: this is ${version?.trim() ?? 'unknown'}`
  },

  recipe: () => recipe,

  command({ provisioned, state, port }) {
    const data = join(state, 'data')
    mkdirSync(data, { recursive: true })
    return {
      program: join(provisioned, 'ferretdb'),
      args: ['-listen', `127.0.0.1:${String(port)}`, '-directory', data],
      url: `mongodb://127.0.0.1:${String(port)}/test`,
      ready: ({ log }) => /^mongodb:\/\//m.test(log()),
    }
  },
}
