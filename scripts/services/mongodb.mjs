import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { ask, onPath, step } from './command.mjs'
import { isProvisioned } from './cache.mjs'
import { listens } from './reach.mjs'

const PYTHON_VERSION = '0.7.0b3'
const RUST_VERSION = '0.5.3-beta.193'
const REQUIREMENTS = fileURLToPath(new URL('mongodb/requirements.txt', import.meta.url))
const PLATFORM = `${process.platform}-${process.arch}`
/** One line of what a Python is, or an error where it lacks what an installation needs. */
const ABOUT = 'import sys, venv, ensurepip; print(*sys.version_info[:2], sys.implementation.cache_tag)'

/** 6 minutes of compiling on two cores that have nothing else to do; 5 to 15 times as fast as the other. */
const rust = {
  name: 'secantusdb-rust',
  version: RUST_VERSION,
  files: [],
  also: [PLATFORM],
  async build(directory, report) {
    report('compiling; this takes 6 to 10 minutes')
    // The crate asks for a newer compiler than it needs.
    const args = ['install', 'secantus-mdb', '--version', RUST_VERSION, '--ignore-rust-version', '--locked']
    await step('cargo', 'cargo', [...args, '--root', directory], { line: (text) => tellOf(text, report), minutes: 60 })
  },
}

/** Seconds to install, and the same features. */
const python = (about) => ({
  name: 'secantusdb-python',
  version: PYTHON_VERSION,
  files: [REQUIREMENTS],
  also: [PLATFORM, about],
  async build(directory, report) {
    await step('python3 -m venv', 'python3', ['-m', 'venv', directory])
    const args = ['-m', 'pip', 'install', '--prefer-binary', '--progress-bar=off', '-r', REQUIREMENTS]
    await step('pip', join(directory, 'bin/python3'), args, { line: (text) => tellOf(text, report) })
  },
})

/** The lines of cargo and pip that show how far they are. */
function tellOf(text, report) {
  const found = /^\s*(Compiling|Collecting) (\S+)/.exec(text)
  if (found !== null) report(`${found[1].toLowerCase()} ${found[2]}`)
}

/** A server with MongoDB's protocol and its storage engine, a replica set of one: SecantusDB. */
export const mongodb = {
  name: 'mongodb',
  title: 'SecantusDB (MongoDB protocol)',
  entries: ['secantusdb-rust', 'secantusdb-python', 'mongoimport'],
  stopSignal: 'SIGTERM',

  async missing({ fast = false }) {
    if (isProvisioned(rust)) return undefined
    if (fast) return onPath('cargo') === undefined ? 'install Rust (cargo), a C compiler and cmake' : undefined
    if (onPath('python3') === undefined) return 'install Python 3.10 or later, with venv and pip'
    const about = await ask('python3', ['-c', ABOUT])
    if (about === undefined) return 'install the modules venv and ensurepip of Python (Debian: python3-venv)'
    const [major, minor] = about.split(' ').map(Number)
    if (major === 3 && minor >= 10) return undefined
    return `install Python 3.10 or later: this is ${String(major)}.${String(minor)}`
  },

  async recipe({ fast = false }) {
    return fast || isProvisioned(rust) ? rust : python(await ask('python3', ['-c', ABOUT]))
  },

  command({ provisioned, state, port }) {
    const isRust = provisioned.includes(rust.name)
    // By module: the start script in bin/ names the directory that it was built in.
    const start = isRust
      ? [join(provisioned, 'bin/secantusd-rs')]
      : [join(provisioned, 'bin/python3'), '-m', 'secantus']
    const { PYTHONHOME, PYTHONPATH, ...env } = process.env
    return {
      program: start[0],
      args: [
        ...start.slice(1),
        ...['--host', '127.0.0.1', '--port', String(port), '--storage-path', join(state, 'data')],
        // An acknowledged write must outlive kill -9.
        ...['--log-level', 'WARNING', '--sync-on-commit'],
      ],
      env,
      url: `mongodb://127.0.0.1:${String(port)}/test?directConnection=true`,
      ready: () => listens(port),
    }
  },
}
