import type { Environment } from './config.ts'

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}|\$\{/g

/** What a text with variables becomes, or why it can't; `names` are the variables whose values are in it. */
export type Substituted =
  { readonly text: string; readonly names: readonly string[] } | { readonly reason: string; readonly advice: string }

/**
 * Replaces `${NAME}` by the variable's value and `${NAME:-default}` by the default where it is unset or empty; `$${`
 * stands for `${` itself. Values are taken as they are: variables in them aren't replaced.
 */
export function substitute(text: string, env: Environment): Substituted {
  const names: string[] = []
  let result = ''
  let at = 0
  for (const match of text.matchAll(REFERENCE)) {
    const [whole, name, otherwise, fallback = ''] = match
    result += text.slice(at, match.index)
    at = match.index + whole.length
    if (whole === '$${') {
      result += '${'
      continue
    }
    if (name === undefined) return { reason: 'a variable is written ${NAME} or ${NAME:-default}', advice: ESCAPE }
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value === undefined && otherwise === undefined) {
      return { reason: `the environment variable ${name} isn't set`, advice: `set it, or write \${${name}:-default}` }
    }
    const usesDefault = otherwise !== undefined && (value === undefined || value === '')
    result += usesDefault ? fallback : (value ?? '')
    names.push(name)
  }
  return { text: result + text.slice(at), names }
}

const ESCAPE = 'write $${ where a dollar and a brace are meant'
