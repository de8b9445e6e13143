import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProcess } from './processes.mjs'

/** A file of the checkout, by its path from here. */
export const path = (name) => fileURLToPath(new URL(name, import.meta.url))

/** `merganser run …` as a process of its own. */
export function merganserRun(directory, args) {
  // Out of the checkout, so that no configuration file changes what is measured.
  return runProcess(process.execPath, [path('../bin/merganser.js'), 'run', ...args, '--quiet'], { cwd: directory })
}

/** Runs `work` with a directory of its own, which is gone afterwards. */
export async function fresh(directory, work) {
  const own = mkdtempSync(join(directory, 'state-'))
  try {
    return await work(own)
  } finally {
    rmSync(own, { recursive: true, force: true, maxRetries: 5 })
  }
}
