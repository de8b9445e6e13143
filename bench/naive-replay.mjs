// What people write first: readline, regular expressions, a Map of objects per replica; no oplog, no database.
//   node naive-replay.mjs SCRIPT
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

const caches = { HIVE: new Map(), POSTGRESQL: new Map(), MONGODB: new Map() }
const started = performance.now()

function merge(into, from) {
  for (const [key, theirs] of from) {
    const ours = into.get(key)
    if (!ours || ours.stamp < theirs.stamp) into.set(key, theirs)
  }
}

let lines = 0
for await (const raw of createInterface({ input: createReadStream(process.argv[2], { highWaterMark: 1 << 20 }) })) {
  lines++
  let line = raw.trim()
  const comma = line.indexOf(',')
  if (comma > 0 && /^\d+$/.test(line.slice(0, comma))) line = line.slice(comma + 1).trim()
  let match
  if ((match = /^(\w+)\.SET\(\(([^,]+),([^)]+)\),\s*([^)]+)\)/.exec(line))) {
    caches[match[1]].set(`${match[2]},${match[3]}`, { stamp: process.hrtime.bigint(), value: match[4] })
  } else if ((match = /^(\w+)\.GET\(([^,]+),([^)]+)\)/.exec(line))) {
    caches[match[1]].get(`${match[2]},${match[3]}`)
  } else if ((match = /^(\w+)\.MERGE\((\w+)\)/.exec(line))) {
    merge(caches[match[1]], caches[match[2]])
  } else if (line === 'FULL_SYNC') {
    merge(caches.HIVE, caches.POSTGRESQL)
    merge(caches.HIVE, caches.MONGODB)
    merge(caches.POSTGRESQL, caches.HIVE)
    merge(caches.MONGODB, caches.HIVE)
  }
}
const seconds = (performance.now() - started) / 1000
const rss = Math.round(process.memoryUsage().rss / 1e6)
console.log(`${lines} lines in ${seconds.toFixed(2)} s, ${(lines / seconds / 1e6).toFixed(2)} M lines/s, ${rss} MB`)
