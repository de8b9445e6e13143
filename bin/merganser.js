#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'

const args = process.argv.slice(2)

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // The one answer that needs nothing else.
  process.stdout.write(`${version}\n`)
} else if (existsSync(new URL('../lib/cli/main.js', import.meta.url))) {
  const { main } = await import('../lib/cli/main.js')
  await main(args, version)
} else {
  process.stderr.write('merganser is not built yet: run `npm run build` in its directory first\n')
  process.exitCode = 4
}
