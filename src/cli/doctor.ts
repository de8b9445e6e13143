import { Option, type Command } from 'commander'
import type { Config, ReplicaConfig } from '../config/config.ts'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import type { Finding } from '../connectors/connector.ts'
import { displayText } from '../script/display.ts'
import { commonFindings, type CommonFinding } from './doctor-common.ts'
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

/** What is looked at together: a replica, or what all have in common (no name). */
interface Part {
  readonly replica: ReplicaConfig | undefined
  readonly findings: AsyncIterable<Finding>
}

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
  const parts: Part[] = [
    { replica: undefined, findings: commonFindings(config, shell.interrupted) },
    ...replicas.map((replica) => ({ replica, findings: replicaFindings(shell, config, replica, options.timeout) })),
  ]
  const counts = { warning: 0, problem: 0, ok: 0 }
  const found = (finding: Finding) => {
    counts[finding.level]++
    if (finding.level === 'problem') shell.raise(statusOf(finding))
  }
  if (options.format === 'jsonl') await asLines(shell, parts, found)
  else await asGroups(shell, parts, found)
  if (shell.interrupted.aborted) throw new MerganserError('INTERRUPTED', 'the diagnosis was interrupted')
  // What goes on in spite of its signal must not keep the process.
  setTimeout(() => process.exit(shell.status), LINGER).unref()
  shell.say(`${several(counts.problem, 'problem')}, ${several(counts.warning, 'warning')}`)
}

function statusOf(finding: CommonFinding): ExitStatus {
  if (finding.damage === true) return ExitStatus.state
  return finding.fault === 'configuration' ? ExitStatus.input : ExitStatus.database
}

/** What is found at one replica, for at most so many seconds. Throws nothing. */
async function* replicaFindings(
  shell: Shell,
  config: Config,
  replica: ReplicaConfig,
  seconds: number,
): AsyncGenerator<Finding, void, undefined> {
  // Not AbortSignal.any with AbortSignal.timeout: what they give may be collected before it fires.
  const controller = new AbortController()
  const limit = controller.signal
  const abort = () => {
    controller.abort()
  }
  const timer = setTimeout(abort, seconds * 1000)
  if (shell.interrupted.aborted) abort()
  else shell.interrupted.addEventListener('abort', abort, { once: true })
  const findings = diagnosis(config, replica, limit)[Symbol.asyncIterator]()
  const ended = new Promise<'ended'>((resolve) => {
    const end = () => {
      resolve('ended')
    }
    if (limit.aborted) end()
    else limit.addEventListener('abort', end, { once: true })
  })
  for (;;) {
    const next = await Promise.race([findings.next().catch((error: unknown) => failed(error, limit)), ended])
    if (next === 'ended') break
    if (next.done === true) {
      clearTimeout(timer)
      return
    }
    yield next.value
  }
  if (shell.interrupted.aborted) return
  void findings.return?.().catch(() => undefined)
  yield {
    level: 'problem',
    check: 'time',
    message: `no answer within ${several(seconds, 'second')}`,
    advice: 'look for a firewall or proxy that swallows connections, or raise --timeout',
    fault: 'database',
  }
}

function failed(error: unknown, limit: AbortSignal): IteratorResult<Finding, undefined> | 'ended' {
  if (limit.aborted) return 'ended'
  throw error
}

async function* diagnosis(
  config: Config,
  replica: ReplicaConfig,
  signal: AbortSignal,
): AsyncGenerator<Finding, void, undefined> {
  const [{ configuredConnector }, { databaseDirectory }, { openingFinding, problem }] = await Promise.all([
    import('../index.ts'),
    import('../engine/opening.ts'),
    import('../connectors/findings.ts'),
  ])
  try {
    const { connector, options } = await configuredConnector(replica)
    const directory = databaseDirectory(config.state, replica.name)
    const context = { access: 'read', directory, replica: replica.name, signal } as const
    if (connector.diagnose === undefined) yield await openingFinding(connector, options, context)
    else yield* connector.diagnose(options, context)
  } catch (error) {
    signal.throwIfAborted()
    yield problem('configuration', error)
  }
}

/** Every finding as it comes, an object a line. */
async function asLines(shell: Shell, parts: readonly Part[], found: (finding: Finding) => void): Promise<void> {
  await Promise.all(
    parts.map(async ({ replica, findings }) => {
      for await (const finding of findings) {
        found(finding)
        const { level, check, message, advice, fault } = finding
        const line = { replica: replica?.name ?? null, level, check, message, advice, fault }
        await shell.print(`${JSON.stringify(line)}\n`)
      }
    }),
  )
}

/** All at once, shown one after the other: those of the first as they come, what others found meanwhile behind it. */
async function asGroups(shell: Shell, parts: readonly Part[], found: (finding: Finding) => void): Promise<void> {
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
class Gathered implements AsyncIterable<Finding> {
  readonly #waiting: Finding[] = []
  #ended = false
  #wake: () => void = () => undefined

  constructor(findings: AsyncIterable<Finding>) {
    void this.#gather(findings)
  }

  async #gather(findings: AsyncIterable<Finding>): Promise<void> {
    try {
      for await (const finding of findings) {
        this.#waiting.push(finding)
        this.#wake()
      }
    } catch (error) {
      const { problem } = await import('../connectors/findings.ts')
      this.#waiting.push(problem('diagnosis', error))
    }
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Finding, void, undefined> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) yield next
      if (this.#ended) return
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
