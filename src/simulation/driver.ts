import { MerganserError } from '../core/errors.ts'
import { finish } from '../engine/finish.ts'
import type { Report } from '../engine/report.ts'
import { runScript } from '../engine/run-script.ts'
import { openSession, type Session } from '../engine/session.ts'
import type { EngineSetup } from '../engine/setup.ts'
import { Catalog } from '../script/catalog.ts'
import { flipBit, type FlippedBit } from './bit-flip.ts'
import { violated, type Between, type Checker, type Lanes, type RecordedPosition } from './checkers/checker.ts'
import { strikeWorld } from './faults.ts'
import type { History } from './history.ts'
import { plainRow } from './history.ts'
import { idOf, keyOf } from './database.ts'
import { LogReader } from './logs.ts'
import { OperationReader, type Operation } from './operations.ts'
import { SimulatedProcess } from './process.ts'
import { Reference } from './reference.ts'
import { DAMAGE, DATABASE_ERRORS, DISK_ERRORS } from './refusals.ts'
import { PlainRows } from './rows.ts'
import type { Chance } from './seeds.ts'
import { setupOf } from './setup.ts'
import type { Fault, Step } from './steps.ts'
import { STATE, type World } from './world.ts'

/** Statements that are handed over at once, at most. */
const CHUNK = 40
/** Microseconds between an end that an error brought and the next try. */
const PAUSE = 1_000_000
/** Tries of one opening once everything is healed, and before. */
const LAST_TRIES = 4
const TRIES = 200

/** The user of the simulated world: runs the steps in session after session, heals the world, and looks at what is left. */
export class Driver {
  readonly #world: World
  readonly #makeState: EngineSetup['makeState']
  readonly #checkers: readonly Checker[]
  readonly #fail: (error: unknown) => void
  readonly #history: History
  readonly #chance: Chance
  readonly #catalog: Catalog
  readonly #reader: OperationReader
  readonly #logs: LogReader
  readonly #columns: readonly number[]
  readonly #bases: readonly PlainRows[]
  #next = 0
  #processes = 0
  /** Records of each log when the last session opened. */
  #from: number[]
  #reference: Reference | undefined
  #flipped: FlippedBit | undefined
  #refusals = 0
  #intruder: SimulatedProcess | undefined
  #session: Session | undefined
  /** When it opened. */
  #openedAt = 0
  /** Half of a line of results. */
  #output = ''
  sessions = 0

  /** @param fail what a checker throws where the product would catch it */
  constructor(
    world: World,
    history: History,
    checkers: readonly Checker[],
    makeState: EngineSetup['makeState'],
    fail: (error: unknown) => void,
  ) {
    const { plan } = world
    this.#world = world
    this.#makeState = makeState
    this.#checkers = checkers
    this.#fail = fail
    this.#history = history
    this.#chance = world.chance('driver')
    this.#catalog = new Catalog([...plan.replicas], [...plan.tables], {})
    this.#reader = new OperationReader(this.#catalog)
    this.#logs = new LogReader(world.names, this.#catalog)
    this.#columns = plan.tables.map(({ values }) => values.length)
    this.#from = plan.replicas.map(() => 0)
    this.#bases = this.#databases().map((database) => {
      const base = new PlainRows(plan.tables.length)
      for (const [table, { name }] of plan.tables.entries()) {
        for (const row of database.rows(name)) {
          base.join(table, idOf(row.key), plainRow(row))
          history.found(table, row)
        }
      }
      return base
    })
  }

  /** Both phases. Rejects with a Violation, or with whatever the product threw that it never should. */
  async run(): Promise<void> {
    const { steps } = this.#world.plan
    while (this.#next < steps.length) await this.#process((process) => this.#work(process))
    this.#world.heal()
    this.#world.tell('healed')
    let report: Report | undefined
    await this.#process(async (process) => {
      report = await this.#settle(process)
    })
    await this.#process((process) => this.#readAll(process))
    this.#checkEnd(report!)
  }

  #databases() {
    return [...this.#world.servers.values()].map(({ database }) => database)
  }

  /** One process, until it ends or is killed. */
  async #process(work: (process: SimulatedProcess) => Promise<void>): Promise<void> {
    const world = this.#world
    // GETs of the chunk that reaches the limit are over it; merges and undoing look up rows of their own.
    const mostReads = world.plan.pendingReads + CHUNK + 2 * world.plan.keys
    const process = new SimulatedProcess(world, ++this.#processes, {
      killed: () => {
        killed()
      },
      reading: (replica, keys) => {
        this.#watch((checker) => checker.reading?.(replica, keys, mostReads))
      },
      served: (replica, wrote) => {
        this.#served(replica, wrote)
      },
    })
    let killed: () => void = () => undefined
    const death = new Promise<void>((resolve) => {
      killed = resolve
    })
    this.#output = ''
    await Promise.race([work(process), death])
    process.end()
    this.#ended()
    this.#intruder?.end()
  }

  /** A session that goes on with the steps until it ends, is killed, or fails. */
  async #work(process: SimulatedProcess): Promise<void> {
    const session = await this.#open(process)
    if (session === undefined) return
    try {
      await this.#steps(process, session)
      await this.#end(session)
    } catch (error) {
      this.#ended()
      this.#expectFault(error)
      await session.close().catch((failure: unknown) => {
        this.#expectFault(failure)
      })
      await this.#pause(process)
    }
  }

  /** Undefined where it can't be opened now. */
  async #open(process: SimulatedProcess): Promise<Session | undefined> {
    const world = this.#world
    try {
      const session = await openSession(this.#setup(process))
      this.#refusals = 0
      this.#opened(session)
      return session
    } catch (error) {
      world.tell(`not opened: ${String(error)}`)
      this.#restoreFlipped(error)
      this.#expectFault(error)
      const tries = ++this.#refusals
      if (tries > (world.healed ? LAST_TRIES : TRIES)) violated('I12', `no session opens any more: ${String(error)}`)
      await this.#pause(process)
      return undefined
    }
  }

  /** What happened before this session is compared with what it found; then its own reference begins. */
  #opened(session: Session): void {
    const { plan } = this.#world
    this.sessions++
    this.#session = session
    this.#openedAt = this.#world.schedule.now
    // A bit that nobody noticed stood where nobody reads any more; it is put right before others read the file.
    this.#flipped?.undo()
    this.#flipped = undefined
    const between = this.#between()
    for (const checker of this.#checkers) checker.between?.(between)
    this.#from = between.logs.map((records) => records.length)
    this.#reference = new Reference(this.#columns, between.rows, this.#bases)
    const records = plan.replicas.map((_, replica) => session.context.state.records(replica))
    this.#world.tell(`session ${String(this.sessions)} is open: records ${records.join(' ')}`)
  }

  #between(): Between {
    const { plan, names } = this.#world
    const logs = plan.replicas.map((_, replica) => this.#logs.read(replica))
    const content = names.get(`${STATE}/positions`)?.bytes.toString()
    const recorded =
      content === undefined
        ? undefined
        : (JSON.parse(content) as { content: { replicas: Record<string, RecordedPosition> } }).content.replicas
    return {
      plan,
      columns: this.#columns,
      history: this.#history,
      databases: this.#databases(),
      logs,
      bases: this.#bases,
      rows: plan.replicas.map((_, replica) => this.#logs.rows(replica)),
      matchings: this.#history.match(logs, this.#from),
      positions: recorded,
    }
  }

  #setup(process: SimulatedProcess): EngineSetup {
    return setupOf(this.#world, process, this.#makeState, {
      output: (bytes) => {
        this.#shown(Buffer.from(bytes).toString())
      },
      message: (text) => {
        this.#world.tell(`message: ${text}`)
      },
      problem: (error) => {
        if (error.code !== 'VALUE_REFUSED') throw error
      },
    })
  }

  #shown(text: string): void {
    const lines = (this.#output + text).split('\n')
    this.#output = lines.pop()!
    for (const line of lines) {
      this.#world.tell(`shown: ${line}`)
      const shown = this.#reader.read(line)
      const expected = this.#history.nextResult()
      this.#watch((checker) => checker.showed?.(shown, expected, this.#history))
    }
  }

  #served(replica: number, wrote: boolean): void {
    const session = this.#session
    if (session === undefined) return
    const lanes = this.#lanes(session)
    this.#watch((checker) => checker.served?.(replica, wrote, lanes))
  }

  #lanes({ context }: Session): Lanes {
    const { schedule, plan, servers, diskFailed } = this.#world
    const logFailed = diskFailed >= this.#openedAt
    return {
      now: schedule.now,
      statements: this.#history.statements,
      awaited: this.#history.awaited,
      unanswered: context.reads.failed || logFailed,
      failed: (replica) => logFailed || context.replicas[replica]!.flusher.failure !== undefined,
      troubled: (replica) => servers.get(plan.replicas[replica]!)!.link.trouble,
    }
  }

  /** The session's lanes begin nothing any more. */
  #ended(): void {
    this.#session = undefined
    for (const checker of this.#checkers) checker.ended?.()
  }

  /** Asks the checkers from within the product's own calls. */
  #watch(ask: (checker: Checker) => void): void {
    try {
      for (const checker of this.#checkers) ask(checker)
    } catch (error) {
      this.#fail(error)
    }
  }

  async #steps(process: SimulatedProcess, session: Session): Promise<void> {
    const { steps } = this.#world.plan
    while (this.#next < steps.length) {
      const chunk = this.#chunk(steps)
      if (chunk.length > 0) {
        await this.#statements(session, chunk)
        continue
      }
      const step = steps[this.#next++]!
      if ('fault' in step && (await this.#strike(process, session, step.fault))) return
    }
  }

  /** The next statements, as many as the program hands over at once. */
  #chunk(steps: readonly Step[]): string[] {
    const lines: string[] = []
    const most = this.#chance.between(1, CHUNK)
    for (;;) {
      const step = steps[this.#next]
      if (lines.length === most || step === undefined || !('line' in step)) return lines
      lines.push(step.line)
      this.#next++
    }
  }

  async #statements(session: Session, lines: readonly string[]): Promise<void> {
    const begun = this.#world.schedule.now
    const issued: Operation[] = []
    for (const line of lines) {
      this.#world.tell(line)
      const operation = this.#reader.read(line)
      if (this.#refused(operation.op, operation.replica, operation.cells)) continue
      this.#history.issue(operation, this.#reference!)
      issued.push(operation)
    }
    const chunks = [Buffer.from(`${lines.join('\n')}\n`)]
    await runScript(session, { file: 'simulated.in', chunks }, { keepGoing: true })
    const ran = this.#lanes(session)
    for (const checker of this.#checkers) checker.ran?.(issued, begun, ran)
  }

  /** Whether the replica's database can't hold the value, so that the statement is refused (I8). */
  #refused(op: string, replica: number, cells: readonly { readonly value: string | null }[]): boolean {
    return op === 'set' && replica === this.#world.plan.picky && cells.some(({ value }) => value?.includes('\0'))
  }

  /** True where the session ends with it. */
  async #strike(process: SimulatedProcess, session: Session, fault: Fault): Promise<boolean> {
    const world = this.#world
    const { schedule } = world
    switch (fault.kind) {
      case 'durable':
        await session.engine.durable()
        this.#history.acknowledgeAll()
        break
      case 'pause':
        await schedule.after(fault.for, process.life)
        break
      case 'restart':
        world.inject('restart')
        return true
      case 'crash':
        schedule.at(fault.within, process.life, () => {
          this.#crash(process, fault.power)
        })
        break
      case 'flip':
        this.#crash(process, false)
        this.#flipped = flipBit(world, this.#chance)
        // A dead process does nothing more.
        await new Promise(() => undefined)
        break
      case 'thread':
        world.inject('thread ended')
        process.endThread(fault.number)
        break
      case 'intruder':
        await this.#intrude()
        break
      default:
        strikeWorld(world, this.#history, fault)
    }
    return false
  }

  #crash(process: SimulatedProcess, power: boolean): void {
    const world = this.#world
    world.inject(power ? 'power loss' : 'kill')
    process.kill()
    if (power) world.names.lose(this.#chance)
  }

  /** Whoever is refused because of a damaged file puts it back from a backup. */
  #restoreFlipped(error: unknown): void {
    if (!(error instanceof MerganserError)) return
    for (const checker of this.#checkers) checker.refused?.(error, this.#flipped?.path)
    this.#flipped?.undo()
    this.#flipped = undefined
  }

  async #intrude(): Promise<void> {
    const other = new SimulatedProcess(this.#world, ++this.#processes, {
      killed: () => undefined,
      reading: () => undefined,
      served: () => undefined,
    })
    this.#intruder = other
    let refusal: MerganserError | undefined
    try {
      await openSession(this.#setup(other))
    } catch (error) {
      if (!(error instanceof MerganserError)) throw error
      refusal = error
    }
    for (const checker of this.#checkers) checker.intruded?.(refusal)
    other.end()
  }

  async #end(session: Session): Promise<Report> {
    const { schedule } = this.#world
    const report = await finish(session, () => schedule.now / 1_000_000)
    this.#ended()
    // Where a GET was never answered, nothing behind it was written.
    if (report.replicas.every(({ failure }) => failure === undefined)) this.#history.acknowledgeAll()
    await session.close()
    this.#world.tell('session closed')
    return report
  }

  /** Faults are over: what is in nobody's power to agree on is written anew, then two rounds must be enough. */
  async #settle(process: SimulatedProcess): Promise<Report> {
    const session = await this.#openHealed(process)
    const settling = this.#settlingLines()
    this.#history.settled()
    if (settling.length > 0) await this.#statements(session, settling)
    for (let round = 0; round < 2; round++) await this.#statements(session, ['FULL_SYNC', 'SYNC'])
    return await this.#end(session)
  }

  async #openHealed(process: SimulatedProcess): Promise<Session> {
    for (;;) {
      const session = await this.#open(process)
      if (session !== undefined) return session
    }
  }

  /** New values for rows that were changed by hand, and for those that a database can't hold. */
  #settlingLines(): string[] {
    const { plan } = this.#world
    const rows = new Map<string, { readonly table: number; readonly key: string }>()
    for (const { table, key } of this.#history.foreign) rows.set(`${String(table)} ${key}`, { table, key })
    for (const log of plan.replicas.map((_, replica) => this.#logs.read(replica))) {
      for (const { table, key, cells } of log) {
        if (cells.some(({ value }) => value?.includes('\0'))) rows.set(`${String(table)} ${key}`, { table, key })
      }
    }
    return [...rows.values()].flatMap(({ table, key }, n) =>
      plan.replicas.slice(0, 1).map((name) => {
        const { values, name: tableName } = plan.tables[table]!
        const items = keyOf(key).join(',')
        const cells = values.map((column) => `${column.name}: settled${String(n)}`).join(', ')
        return `${name}.${tableName}.SET((${items}), {${cells}})`
      }),
    )
  }

  /** A fresh session, whose caches are empty, shows the same. */
  async #readAll(process: SimulatedProcess): Promise<void> {
    const { plan } = this.#world
    const session = await this.#openHealed(process)
    const lines = plan.tables.flatMap(({ name }, table) => {
      const keys = new Set(
        this.#databases().flatMap((database) =>
          database.rows(plan.tables[table]!.name).map(({ key }) => key.join(',')),
        ),
      )
      return [...keys].flatMap((key) => plan.replicas.map((replica) => `${replica}.${name}.GET((${key}))`))
    })
    if (lines.length > 0) await this.#statements(session, lines)
    await this.#end(session)
    if (this.#history.unshown > 0) violated('I13', `${String(this.#history.unshown)} results were never shown`)
  }

  #checkEnd(report: Report): void {
    const between = this.#between()
    const expected = new PlainRows(this.#columns.length)
    for (const rows of [...between.rows, ...this.#bases]) expected.joinAll(rows)
    for (const checker of this.#checkers) {
      checker.between?.(between)
      checker.atEnd?.({ ...between, report, expected })
    }
  }

  #pause(process: SimulatedProcess): Promise<void> {
    return this.#world.schedule.after(PAUSE, process.life)
  }

  /** Only what a fault explains may go wrong. */
  #expectFault(error: unknown): void {
    if (!(error instanceof MerganserError)) throw error
    this.#world.tell(`failed: ${error.code}: ${error.message}`)
    const explained =
      (DATABASE_ERRORS.has(error.code) && !this.#world.healed) ||
      DISK_ERRORS.has(error.code) ||
      (DAMAGE.has(error.code) && !this.#world.healed)
    if (!explained) throw error
  }
}
