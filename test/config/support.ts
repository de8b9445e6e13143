import { parseConfig } from '../../src/config/parse.ts'
import type { Config } from '../../src/config/config.ts'
import { MerganserError } from '../../src/core/errors.ts'

export const TYPES = ['embedded-postgres', 'embedded-documents', 'embedded-warehouse', 'postgres']

export function parse(text: string, env: Record<string, string> = {}): Config {
  return parseConfig(text, { file: 'merganser.yaml', path: '/srv/app/merganser.yaml', cwd: '/work', env, types: TYPES })
}

export function failure(work: () => unknown): MerganserError {
  try {
    work()
  } catch (error) {
    if (error instanceof MerganserError) return error
    throw error
  }
  throw new Error('expected an error')
}

/** Everything of an error that a user may see. */
export function visible(error: MerganserError): string {
  return JSON.stringify([error.message, error.place, error.advice])
}
