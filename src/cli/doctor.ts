import { Option, type Command } from 'commander'
import { MerganserError } from '../core/errors.ts'
import type { DoctorFinding, Part } from '../index.ts'
import { displayText } from '../script/display.ts'
import { addConfigOptions, countArgument, examples, type ConfigOptions } from './options.ts'
import { loadConfiguration, replicaNamed } from './session.ts'
import type { Shell } from './shell.ts'
import { several } from './table.ts'

interface DoctorOptions extends ConfigOptions {
  readonly format: 'table' | 'jsonl'
  readonly timeout: number
}

/** How long connections may take to end after the last finding, in milliseconds. */
const LINGER = 2_000

export function doctorCommand(program: Command, shell: Shell): void {
  const command = program
    .command('doctor')
    .description('look for what would keep a session from working, and say what to do about it')
    .argument('[replicas...]', 'replicas or aliases (all of them)')
  addConfigOptions(command)
    .addOption(new Option('--format <format>', 'how findings are written').choices(['table', 'jsonl']).default('table'))
    .option('--timeout <seconds>', 'longest look at one replica', countArgument(1, 3600), 30)
    .addHelpText(
      'after',
      examples([
        ['merganser doctor', 'look at everything'],
        ['merganser doctor SQL --timeout 5', 'one replica, for five seconds at most'],
        ['merganser doctor --format jsonl | jq \'select(.level != "ok")\'', 'for programs'],
      ]) +
        `

Nothing is changed, and nothing is locked. Exit status: 0 nothing keeps a session from working (there may be
warnings), 2 the configuration is wrong, 3 a database can't be reached or refuses, 4 the state directory is damaged.`,
    )
    .action((names: readonly string[], options: DoctorOptions) => doctor(shell, names, options))
}

async function doctor(shell: Shell, names: readonly string[], options: DoctorOptions): Promise<void> {
  const config = await loadConfiguration(shell, options)
  const chosen = [...new Set(names.map((name) => replicaNamed(config, name)))]
  const replicas = chosen.length === 0 ? config.replicas : chosen
  shell.takeInterrupts('interrupted: ending')
  const { doctorParts, findingsOf } = await import('../index.ts')
  const parts = doctorParts(config, { replicas, seconds: options.timeout, signal: shell.interrupted })
  const counts = { warning: 0, problem: 0, ok: 0 }
  const found = ({ level, status }: DoctorFinding) => {
    counts[level]++
    shell.raise(status)
  }
  if (options.format === 'jsonl') await asLines(shell, findingsOf(parts), found)
  else await asGroups(shell, parts, found)
  if (shell.interrupted.aborted) throw new MerganserError('INTERRUPTED', 'the diagnosis was interrupted')
  // What goes on in spite of its signal must not keep the process.
  setTimeout(() => process.exit(shell.status), LINGER).unref()
  shell.say(`${several(counts.problem, 'problem')}, ${several(counts.warning, 'warning')}`)
}

/** Every finding as it comes, an object a line. */
async function asLines(
  shell: Shell,
  findings: AsyncIterable<DoctorFinding>,
  found: (finding: DoctorFinding) => void,
): Promise<void> {
  for await (const finding of findings) {
    found(finding)
    const { replica = null, level, check, message, advice, fault } = finding
    await shell.print(`${JSON.stringify({ replica, level, check, message, advice, fault })}\n`)
  }
}

/** All at once, shown one after the other: those of the first as they come, what others found meanwhile behind it. */
async function asGroups(shell: Shell, parts: readonly Part[], found: (finding: DoctorFinding) => void): Promise<void> {
  const colors = shell.outputColors
  const marks = { ok: colors.green('ok     '), warning: colors.yellow('warning'), problem: colors.red('problem') }
  const gathered = parts.map(({ findings }) => new Gathered(findings))
  for (const [i, { replica }] of parts.entries()) {
    await shell.print(
      `${i === 0 ? '' : '\n'}${replica === undefined ? 'this machine' : `${replica.name} (${replica.type})`}\n`,
    )
    for await (const finding of gathered[i]!) {
      found(finding)
      const { level, check, message, advice } = finding
      await shell.print(`  ${marks[level]}  ${check}: ${displayText(message)}\n`)
      if (advice !== undefined && level !== 'ok') await shell.print(`           ${displayText(advice)}\n`)
    }
  }
}

/** Takes what comes at once, and gives it when it is asked for. */
class Gathered implements AsyncIterable<DoctorFinding> {
  readonly #waiting: DoctorFinding[] = []
  #ended = false
  #wake: () => void = () => undefined

  constructor(findings: AsyncIterable<DoctorFinding>) {
    void this.#gather(findings)
  }

  async #gather(findings: AsyncIterable<DoctorFinding>): Promise<void> {
    for await (const finding of findings) {
      this.#waiting.push(finding)
      this.#wake()
    }
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DoctorFinding, void, undefined> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) yield next
      if (this.#ended) return
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
