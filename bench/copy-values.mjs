// Reads a script of lines of one length and copies the value of each into its key's place, round and round.
//   node copy-values.mjs SCRIPT VALUE-START VALUE-BYTES LINE-BYTES KEYS
import { closeSync, openSync, readSync } from 'node:fs'

const [valueStart, valueBytes, lineBytes, keys] = process.argv.slice(3).map(Number)
const block = Buffer.allocUnsafeSlow(lineBytes * 1024)
const values = Buffer.alloc(valueBytes * keys)
const file = openSync(process.argv[2])
const started = performance.now()
let lines = 0
for (;;) {
  const bytes = readSync(file, block)
  for (let line = 0; line + lineBytes <= bytes; line += lineBytes) {
    const start = line + valueStart
    block.copy(values, (lines++ % keys) * valueBytes, start, start + valueBytes)
  }
  if (bytes < block.length) break
}
closeSync(file)
const seconds = (performance.now() - started) / 1000
console.log(`${lines} values in ${seconds.toFixed(2)} s, ${((lines * valueBytes) / seconds / 1e6).toFixed(0)} MB/s`)
