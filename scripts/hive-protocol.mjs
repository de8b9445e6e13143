import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { ROOT, say } from './run.mjs'

/**
 * `npm run hive-protocol`: makes the code that speaks HiveServer2's protocol of our description of it. What it makes is
 * kept with the sources, so only who changes the description needs the compiler `thrift` (0.17 or later).
 */

const CLIENT = join(ROOT, 'src/connectors/hive/client')
const OUTPUT = join(CLIENT, 'generated')

rmSync(OUTPUT, { recursive: true, force: true })
mkdirSync(OUTPUT, { recursive: true })
const args = ['--gen', 'js:node,es6,ts', '-out', OUTPUT, join(CLIENT, 'hive-protocol.thrift')]
const { error, status, stderr } = spawnSync('thrift', args, { encoding: 'utf8' })
if (error !== undefined || status !== 0) {
  say(error === undefined ? stderr.trim() : 'the compiler `thrift` is not installed (package thrift-compiler)')
  process.exit(1)
}
// What it makes is CommonJS, in a package of ES modules.
writeFileSync(join(OUTPUT, 'package.json'), '{ "type": "commonjs" }\n')
say('made src/connectors/hive/client/generated')
