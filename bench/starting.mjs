import { fileURLToPath } from 'node:url'
import { atMost, inPairs, measured } from './pairs.mjs'
import { timeProcess } from './processes.mjs'

/** What it costs to start. */
export async function starting({ starts }) {
  const merganser = fileURLToPath(new URL('../bin/merganser.js', import.meta.url))
  const node = (...args) => timeProcess(process.execPath, args)
  return [
    measured({
      work: 'merganser --version',
      reference: 'node -e 0',
      bar: atMost(2),
      pairs: await inPairs(
        starts,
        () => node(merganser, '--version'),
        () => node('-e', '0'),
      ),
    }),
  ]
}
