import { join } from 'node:path'
import { fresh, path } from './merganser.mjs'
import { inTurn, limited, noMoreThan } from './pairs.mjs'
import { runProcess } from './processes.mjs'

/** What the kernel adds to the opening of a session: processes that open one, with it and with the model. */
export async function opening({ directory, starts }) {
  const open = (state) => () =>
    fresh(directory, async (own) => {
      const { output } = await runProcess(process.execPath, [path('open-session.mjs'), state, join(own, 'state')])
      return JSON.parse(output)
    })
  const works = { kernel: open('kernel'), model: open('model') }
  // The first ones find nothing in the system's caches.
  await inTurn(1, works)
  const rounds = await inTurn(starts, works)
  const line = (what, unit, most) =>
    limited({
      work: `opening a session: ${what}`,
      reference: 'with the model',
      bar: noMoreThan(most, unit),
      amounts: rounds.map(({ kernel }) => kernel[what]),
      than: rounds.map(({ model }) => model[what]),
    })
  return [line('time', 'ms', 10), line('memory', 'MB', 32)]
}
