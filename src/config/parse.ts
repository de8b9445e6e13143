import type { z } from 'zod'
import { nearestName } from '../core/nearest.ts'
import { buildConfig, type ParseContext } from './build.ts'
import type { Config } from './config.ts'
import { ConfigDocument, type Path } from './document.ts'
import { configSchema, knownKeys, type ConfigShape } from './schema.ts'
import { isSecretName } from './secrets.ts'
import { substitute } from './substitute.ts'

/** Sections whose values are numbers: text with variables may give one there. */
const NUMBERS = new Set<PropertyKey>(['workers', 'limits', 'durability', 'retry'])

/** Reads a configuration file's text. Throws BAD_CONFIG or BAD_SCHEMA with the place of what is wrong. */
export function parseConfig(text: string, context: ParseContext): Config {
  const document = new ConfigDocument(text, context.file)
  /** Options by replica, as it stands in the file, in which a variable with a secret's name was replaced. */
  const hidden = new Map<string, Set<string>>()
  const contents = document.plain((value, path) => {
    if (typeof value !== 'string' || !value.includes('${')) return value
    const result = substitute(value, context.env)
    if ('reason' in result) throw document.error(path, result.reason, { advice: result.advice })
    const [section, replica, option] = path
    if (section === 'replicas' && option !== undefined && result.names.some(isSecretName)) {
      const options = hidden.get(String(replica)) ?? new Set()
      hidden.set(String(replica), options.add(String(option)))
    }
    const isNumber = section !== undefined && NUMBERS.has(section) && /^\d{1,15}$/.test(result.text)
    return isNumber ? Number(result.text) : result.text
  })
  const shape = checkShape(document, withoutEmpty(contents))
  return buildConfig(shape, { ...context, document, hidden })
}

/** A section with nothing in it counts as not there: its lines may all be commented out. */
function withoutEmpty(contents: unknown): unknown {
  if (contents === null) return {}
  if (typeof contents !== 'object' || Array.isArray(contents)) return contents
  return Object.fromEntries(Object.entries(contents).filter(([, section]) => section !== null))
}

function checkShape(document: ConfigDocument, contents: unknown): ConfigShape {
  const result = configSchema.safeParse(contents)
  if (result.success) return result.data
  const problems = result.error.issues
    .flatMap((issue) => problemsOf(issue))
    .sort((a, b) => document.offset(a.path, a.at) - document.offset(b.path, b.at))
  const first = problems[0]!
  const more = problems.length === 1 ? '' : ` (the first of ${String(problems.length)} problems)`
  throw document.error(first.path, first.message + more, first)
}

interface Problem {
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly message: string
  readonly advice?: string
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code !== 'unrecognized_keys') {
    const name = issue.path.join('.')
    return [{ path: issue.path, at: 'value', message: name === '' ? issue.message : `${name}: ${issue.message}` }]
  }
  const known = knownKeys(issue.path)
  const where = issue.path.length === 0 ? '' : ` in ${issue.path.join('.')}`
  return issue.keys.map((key) => {
    const near = nearestName(key, known)
    const advice = near === undefined ? `known keys: ${known.join(', ')}` : `did you mean ${near}?`
    return { path: [...issue.path, key], at: 'key', message: `unknown key ${key.slice(0, 80)}${where}`, advice }
  })
}
