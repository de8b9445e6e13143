import { z } from 'zod'
import { DEFAULT_DURABILITY, DEFAULT_LIMITS, DEFAULT_RETRY, DEFAULT_WORKERS } from './config.ts'

const count = (least: number, most: number, start: number, description: string) => {
  const error = `expected a whole number from ${String(least)} to ${String(most)}`
  return z
    .number({ error })
    .int({ error })
    .min(least, { error })
    .max(most, { error })
    .default(start)
    .meta({ description })
}
const text = (description: string) => z.string({ error: 'expected text' }).meta({ description })
const notAMap = (issue: { code?: string }) => (issue.code === 'invalid_type' ? 'expected a map' : undefined)

const limits = z.strictObject(
  {
    keyBytes: count(1, DEFAULT_LIMITS.keyBytes, DEFAULT_LIMITS.keyBytes, 'longest canonical key'),
    valueBytes: count(1, DEFAULT_LIMITS.valueBytes, DEFAULT_LIMITS.valueBytes, 'longest value'),
    lineBytes: count(64, DEFAULT_LIMITS.lineBytes, DEFAULT_LIMITS.lineBytes, 'longest line of a script'),
    undoStatements: count(0, 10_000_000, DEFAULT_LIMITS.undoStatements, 'how many statements UNDO reaches back'),
    undoRows: count(0, 100_000_000, DEFAULT_LIMITS.undoRows, 'how many rows UNDO reaches back'),
    futureSeconds: count(0, 3_153_600_000, DEFAULT_LIMITS.futureSeconds, 'how far ahead a stamp from others may be'),
    memoryRows: count(1, 1_000_000_000, DEFAULT_LIMITS.memoryRows, 'distinct rows that a session holds in memory'),
    pendingReads: count(1, 10_000_000, DEFAULT_LIMITS.pendingReads, 'look-ups that wait, per replica'),
  },
  { error: notAMap },
)

const durability = z.strictObject(
  {
    commitMilliseconds: count(0, 10_000, DEFAULT_DURABILITY.commitMilliseconds, 'longest wait of a group commit'),
    commitBytes: count(1, 1024 ** 3, DEFAULT_DURABILITY.commitBytes, 'largest group commit'),
    segmentBytes: count(
      64 * 1024,
      1024 ** 4,
      DEFAULT_DURABILITY.segmentBytes,
      'size at which an oplog goes on in a new file',
    ),
  },
  { error: notAMap },
)

const retry = z.strictObject(
  { seconds: count(0, 86_400, DEFAULT_RETRY.seconds, 'how long a database may stay away before the run ends') },
  { error: notAMap },
)

const columns = (description: string) =>
  z
    .record(
      z.string(),
      text('a type: string, int64, float64, decimal(p,s), boolean, bytes, date, timestamp(n), json'),
      {
        error: notAMap,
      },
    )
    .meta({ description })

const table = z.strictObject(
  { key: columns('key columns in order, each with its type'), values: columns('value columns, each with its type') },
  { error: notAMap },
)

/** For editors only: `core/renames.ts` checks it, and says more. */
const renames = z
  .unknown()
  .optional()
  .meta({
    description: 'what tables and columns are called in this database',
    type: 'object',
    additionalProperties: {
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 1, description: "the table's name there" },
        columns: {
          type: 'object',
          additionalProperties: { type: 'string', minLength: 1 },
          description: 'names there by column',
        },
      },
      additionalProperties: false,
    },
  })

const replica = z
  .looseObject({ type: text('the kind of database'), tables: renames }, { error: notAMap })
  .meta({ description: 'a copy of the tables; what stands beside its type goes to the connector' })

/** The shape of the configuration file. What needs more than shape is checked in `build.ts`. */
export const configSchema = z.strictObject(
  {
    tables: z.record(z.string(), table, { error: notAMap }).optional().meta({ description: 'tables by name' }),
    replicas: z.record(z.string(), replica, { error: notAMap }).optional().meta({ description: 'replicas by name' }),
    aliases: z
      .record(z.string(), text("a replica's name"), { error: notAMap })
      .optional()
      .meta({ description: 'other names of replicas' }),
    workers: count(1, 1000, DEFAULT_WORKERS, 'most worker threads'),
    limits: limits.prefault({}),
    durability: durability.prefault({}),
    retry: retry.prefault({}),
    state: text('the state directory; a relative one is beside the configuration file').optional(),
  },
  { error: notAMap },
)

/** A configuration file as it stands, defaults filled in. */
export type ConfigShape = z.output<typeof configSchema>

/** The JSON schema of the configuration file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input' }) as Record<string, unknown>
  return { title: 'merganser.yaml', ...schema }
}

/** The keys that may stand at a path; none where any may. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType = configSchema
  for (const step of path) {
    schema = unwrapped(schema)
    if (schema instanceof z.ZodObject) schema = schema.shape[String(step)] as z.core.$ZodType
    else if (schema instanceof z.ZodRecord) schema = schema.valueType
    else return []
  }
  schema = unwrapped(schema)
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
    inner = inner.unwrap()
  }
  return inner
}
