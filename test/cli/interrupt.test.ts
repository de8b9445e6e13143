import { describe, expect, it } from 'vitest'
import { Workspace } from './support.ts'

const workspace = await Workspace.create()

/** More than is done before the signal comes. */
const LINES = Array.from({ length: 400_000 }, (_, i) => {
  return i % 100 === 0 ? `HIVE.GET((k${String(i - 1)},c))` : `HIVE.SET((k${String(i)},c), ${String(i)})`
})
await workspace.write('long.in', LINES.join('\n'))

describe('Ctrl-C', () => {
  it('I4: ends a long script in order: 130, all that was shown is durable, the next sync flushes', async () => {
    const started = workspace.start(['run', 'long.in', '--state', 'long'])
    await started.shows('HIVE.GET((k9999,c)) = 9999')
    started.child.kill('SIGINT')
    const { status, out, err } = await started.ended
    expect(status, err).toBe(130)
    expect(err).toContain('interrupted: ending in order')
    expect(err).toContain('INTERRUPTED: the run was interrupted; what was acknowledged is durable')
    expect(err).toContain('`merganser sync`')
    const shown = out.trimEnd().split('\n')
    const log = await workspace.log('HIVE', 'long')
    expect(log.length).toBeLessThan(LINES.length)
    // The log is a prefix of the script: nothing was left out, and nothing after it begun.
    expect(log.filter((line) => line.includes('.GET')).slice(0, shown.length)).toEqual(shown)
    expect(log.filter((line) => line.includes('.SET'))).toEqual(
      LINES.slice(0, log.length).filter((line) => line.includes('.SET')),
    )
    const before = JSON.parse((await workspace.done(['status', '--state', 'long', '--json'])).out) as object
    expect(before).toMatchObject({ holder: null, endedInOrder: true, replicas: [{ pending: log.length }, {}] })
    await workspace.done(['sync', '--state', 'long', '--quiet'])
    const after = JSON.parse((await workspace.done(['status', '--state', 'long', '--json'])).out) as object
    expect(after).toMatchObject({ replicas: [{ pending: 0 }, { pending: 0 }] })
  })

  it('takes no half line of an open standard input for a whole one', async () => {
    const started = workspace.start(['run', '--state', 'half', '--no-flush'])
    started.child.stdin.write('HIVE.SET((a,b), 1)\nHIVE.GET((a,b))\nHIVE.UNDO')
    await started.shows('HIVE.GET((a,b)) = 1')
    started.child.kill('SIGTERM')
    const { status, err } = await started.ended
    expect(status, err).toBe(130)
    expect(await workspace.log('HIVE', 'half')).toEqual(['HIVE.SET((a,b), 1)', 'HIVE.GET((a,b)) = 1'])
  })

  it('leaves no trace of an interrupted dry run', async () => {
    const started = workspace.start(['run', '--state', 'dry', '--dry-run', '--plan', 'plan.in'])
    started.child.stdin.write('HIVE.SET((a,b), 1)\nHIVE.GET((a,b))\n')
    await started.shows('HIVE.GET((a,b)) = 1')
    started.child.kill('SIGINT')
    const { status, err } = await started.ended
    expect(status, err).toBe(130)
    expect(err).toContain('nothing was written')
    expect((await workspace.run(['check', 'plan.in'])).status).toBe(2)
  })
})
