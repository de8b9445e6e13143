import type { TableSchema } from '../core/table.ts'
import { parseType } from '../core/types.ts'
import type { DiskCall } from './disk.ts'
import { NO_FAULTS, type LinkFaults } from './link.ts'
import type { Chance, Seeds } from './seeds.ts'
import type { Fault, Step } from './steps.ts'
import { Workload } from './workload.ts'

export const FAULT_KINDS = [
  'loss',
  'duplicates',
  'reset',
  'late',
  'halves',
  'partitions',
  'outages',
  'slow',
  'clock',
  'crashes',
  'power',
  'disk',
  'full',
  'flips',
  'threads',
  'foreign',
  'refused',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface PlanOptions {
  readonly replicas: number
  readonly operations: number
  readonly faults: ReadonlySet<FaultKind>
}

/** Everything about a run that its seed decides before it begins. */
export interface Plan {
  readonly replicas: readonly string[]
  readonly tables: readonly TableSchema[]
  readonly steps: readonly Step[]
  readonly link: LinkFaults
  /** How likely a write to a database comes apart. */
  readonly halves: number
  /** The replica whose database can't hold every text; -1 for none. */
  readonly picky: number
  /** Rows that all databases hold before the first session. */
  readonly initialRows: number
  /** Microseconds that the wall clock gains in a second. */
  readonly drift: number
  readonly retrySeconds: number
  readonly workers: number
  readonly segmentBytes: number
  readonly pendingReads: number
  /** Keys of all tables together that statements name, at most. */
  readonly keys: number
  /** Whether the disk has a thread that checksums and writes. */
  readonly seals: boolean
  /** Rows that databases take in one write at the most. */
  readonly batchRows: number
}

/** More than there are. */
export const MANY_ROWS = 100_000

const NAMES = ['HIVE', 'POSTGRESQL', 'MONGODB', 'FOURTH', 'FIFTH', 'SIXTH', 'SEVENTH', 'EIGHTH', 'NINTH']
export const MOST_REPLICAS = NAMES.length

const string = parseType('string')!
export const TABLES: readonly TableSchema[] = [
  {
    name: 'grades',
    key: [
      { name: 'student', type: string },
      { name: 'course', type: string },
    ],
    values: [{ name: 'grade', type: string }],
  },
  {
    name: 't',
    key: [{ name: 'k', type: string }],
    values: [
      { name: 'a', type: string },
      { name: 'b', type: string },
    ],
  },
]

export function planOf(seeds: Seeds, { replicas, operations, faults }: PlanOptions): Plan {
  const chance = seeds.stream('plan')
  const rate = (kind: FaultKind, most: number) => {
    const drawn = chance.fraction()
    return faults.has(kind) ? most * drawn * drawn : 0
  }
  const link = {
    loss: rate('loss', 0.3),
    duplicates: rate('duplicates', 0.5),
    reset: rate('reset', 0.1),
    latency: chance.pick([50, 300, 3_000]),
    lateness: faults.has('late') ? chance.pick([0, 10_000, 1_000_000]) : 0,
  }
  const names = NAMES.slice(0, replicas)
  const picky = chance.below(replicas * 3)
  const workload = new Workload(seeds.stream('workload'), names, faults.has('refused') && picky < replicas)
  return {
    replicas: names,
    tables: TABLES,
    steps: withFaults(seeds.stream('faults'), workload.lines(operations), replicas, faults),
    link: faults.size === 0 ? NO_FAULTS : link,
    halves: rate('halves', 0.2),
    picky: faults.has('refused') && picky < replicas ? picky : -1,
    initialRows: chance.pick([0, 0, 12]),
    drift: faults.has('clock') ? chance.between(-200, 200) : 0,
    retrySeconds: chance.pick([20, 600]),
    workers: chance.pick([1, 2, 50]),
    segmentBytes: chance.pick([2_000, 16_000, 1_000_000]),
    pendingReads: chance.pick([3, 10_000]),
    keys: workload.keys * TABLES.length,
    seals: chance.happens(0.5),
    batchRows: chance.pick([4, MANY_ROWS, MANY_ROWS]),
  }
}

/** The same with steps of somebody's own, over tables of theirs; faults are strewn among them. */
export function withSteps(
  plan: Plan,
  seeds: Seeds,
  replicas: readonly string[],
  tables: readonly TableSchema[],
  steps: readonly Step[],
  faults: ReadonlySet<FaultKind>,
): Plan {
  const drawn = steps.some((step) => 'fault' in step)
  const lines = steps.flatMap((step) => ('line' in step ? [step.line] : []))
  return {
    ...plan,
    replicas,
    tables,
    // A script that names its faults has them where they are.
    steps: drawn ? steps : withFaults(seeds.stream('faults'), lines, replicas.length, faults),
    picky: -1,
    initialRows: 0,
    keys: lines.length,
  }
}

const CALLS: readonly DiskCall[] = [
  'append',
  'datasync',
  'rewrite',
  'rename',
  'syncDirectory',
  'replaceFile',
  'create',
  'truncate',
]

/** How many of each are strewn over 1,000 statements at most, and how one is drawn. */
const STREWN: readonly (readonly [FaultKind | undefined, number, (chance: Chance, replicas: number) => Fault])[] = [
  [undefined, 60, () => ({ kind: 'durable' })],
  [undefined, 30, (chance) => ({ kind: 'pause', for: chance.pick([500, 20_000, 2_000_000]) })],
  [undefined, 2, () => ({ kind: 'restart' })],
  [undefined, 1, () => ({ kind: 'intruder' })],
  [
    'crashes',
    4,
    (chance) => ({ kind: 'crash', within: chance.below(chance.pick([100, 3_000, 50_000])), power: false }),
  ],
  ['power', 4, (chance) => ({ kind: 'crash', within: chance.below(chance.pick([100, 3_000, 50_000])), power: true })],
  [
    'partitions',
    4,
    (chance, replicas) => ({
      kind: 'partition',
      replica: chance.below(replicas),
      cut: chance.pick(['requests', 'answers', 'both']),
      for: chance.pick([100_000, 5_000_000]),
    }),
  ],
  [
    'outages',
    3,
    (chance, replicas) => ({
      kind: 'outage',
      replica: chance.below(replicas),
      for: chance.pick([100_000, 3_000_000, 60_000_000]),
    }),
  ],
  [
    'slow',
    3,
    (chance, replicas) => ({
      kind: 'slow',
      replica: chance.below(replicas),
      times: chance.pick([10, 1_000]),
      for: chance.pick([1_000_000, 60_000_000]),
    }),
  ],
  ['clock', 4, (chance) => ({ kind: 'clock', by: chance.pick([-3_600_000, -1_000, -1, 1, 1_000, 60_000]) })],
  ['disk', 2, (chance) => ({ kind: 'disk', call: chance.pick(CALLS), after: chance.below(20) })],
  ['full', 1, (chance) => ({ kind: 'full', for: chance.pick([10_000, 3_000_000]) })],
  ['flips', 1, () => ({ kind: 'flip' })],
  ['threads', 2, (chance) => ({ kind: 'thread', number: chance.below(100) })],
  [
    'foreign',
    2,
    (chance, replicas) => ({ kind: 'foreign', replica: chance.below(replicas), number: chance.below(1_000) }),
  ],
]

function withFaults(
  chance: Chance,
  lines: readonly string[],
  replicas: number,
  faults: ReadonlySet<FaultKind>,
): Step[] {
  const strewn: { readonly at: number; readonly fault: Fault }[] = []
  for (const [kind, most, draw] of STREWN) {
    const count = (chance.below(most + 1) * lines.length) / 1_000
    const whole = Math.floor(count) + (chance.fraction() < count % 1 ? 1 : 0)
    for (let i = 0; i < whole; i++) {
      const fault = { at: chance.below(lines.length), fault: draw(chance, replicas) }
      if (kind === undefined || faults.has(kind)) strewn.push(fault)
    }
  }
  strewn.sort((a, b) => a.at - b.at)
  const steps: Step[] = []
  let next = 0
  for (const [at, line] of lines.entries()) {
    while (next < strewn.length && strewn[next]!.at <= at) steps.push({ fault: strewn[next++]!.fault })
    steps.push({ line })
  }
  return steps
}
