import { readFileSync } from 'node:fs'

/** A file of the package itself. */
export function readAsset(url: URL): Uint8Array {
  return readFileSync(url)
}
