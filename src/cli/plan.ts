import type { Session } from '../engine/session.ts'
import { writeOutput } from './outputs.ts'
import type { Shell } from './shell.ts'

/** Rows and bytes that are gathered at a time. */
const STEP = { rows: 20_000, bytes: 4 * 1024 * 1024 }

/** Writes what a dry run would have flushed, row by row, as a script of full-stamp lines. Throws BAD_OUTPUT_FILE. */
export async function writePlan(shell: Shell, session: Session, file: string): Promise<void> {
  const [{ LogLines }, { ByteBuffer }] = await Promise.all([
    import('../script/log-lines.ts'),
    import('../script/byte-buffer.ts'),
  ])
  const { catalog, state, replicas } = session.context
  const lines = new LogLines(catalog)

  function* plan(): Generator<Uint8Array, void, undefined> {
    yield Buffer.from('# what a dry run of merganser would have written\n')
    for (const { id, flusher } of replicas) {
      let from = flusher.position
      for (let done = false; !done;) {
        const changes = state.changes(id, from, STEP)
        const out = new ByteBuffer()
        for (const rows of changes.changed) lines.rows(out, id, rows)
        if (out.length > 0) yield out.bytes.subarray(0, out.length)
        from = changes.upTo
        done = changes.done
      }
    }
  }
  await writeOutput(shell, file, plan())
}
