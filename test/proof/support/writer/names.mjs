import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/*
 * Loaded before a program, so that the names of its temporary files can be told beforehand: strace picks calls by whole
 * paths. Random bytes become PROOF_NAMES, which is another one for each process, and a number that counts up.
 */
const random = crypto.randomBytes
let count = 0
crypto.randomBytes = (size, done) => {
  if (done !== undefined) return random(size, done)
  const digits = size * 2
  const prefix = process.env.PROOF_NAMES
  return Buffer.from(prefix + String(count++).padStart(digits - prefix.length, '0'), 'hex')
}
syncBuiltinESMExports()
