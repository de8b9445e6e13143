/** Stands where something secret isn't shown. */
export const HIDDEN = '***'

const SECRET_WORDS = '(?:pass|pwd|secret|token|credential|private|salt|signature|api_?key|access_?key|sslkey)'
const SECRET_NAME = new RegExp(`${SECRET_WORDS}|(?:^|[_.-])key$`, 'i')
const CAMEL_KEY = /[a-z]Key$/
// Bounded repetitions: these run over whatever a file holds.
const PARAMETER = new RegExp(
  `(${SECRET_WORDS}[\\w.-]{0,64}["']?\\s{0,8}=\\s{0,8})(?:'[^'\\n]*'?|"[^"\\n]*"?|[^&;\\s'"]+)`,
  'gi',
)
const SECRET_MEMBER = new RegExp(`${SECRET_WORDS}[\\w.-]{0,64}["']?\\s{0,8}[:=]\\s{0,8}`, 'gi')
const KEY_MEMBER = /key["']?\s{0,8}:\s{0,8}(?=[^\s{[])/gi
const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/

/** Whether an option or a variable of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) || CAMEL_KEY.test(name)
}

/** A text without credentials in URLs, secret parameters (`password=…`) and private keys. */
export function hideInText(text: string): string {
  if (PRIVATE_KEY.test(text)) return HIDDEN
  const credentials = urlCredentials(text) ?? bareCredentials(text)
  const shown = credentials === undefined ? text : text.slice(0, credentials[0]) + HIDDEN + text.slice(credentials[1])
  return shown.replace(PARAMETER, `$1${HIDDEN}`)
}

/**
 * From behind the first `//` to the last `@`: a password may hold any character, a mistyped URL may lack its colon, and
 * too much is no harm.
 */
function urlCredentials(text: string): [number, number] | undefined {
  const slashes = text.indexOf('//')
  const end = text.lastIndexOf('@')
  return slashes >= 0 && end >= slashes + 2 ? [slashes + 2, end] : undefined
}

/** Of `user:password@host`, a URL that lacks its beginning: from its own to the last `@`. */
function bareCredentials(text: string): [number, number] | undefined {
  const colon = text.indexOf(':')
  const end = text.lastIndexOf('@')
  return colon >= 0 && end > colon ? [0, end] : undefined
}

/** An option's value as it may be shown. */
export function hideSecrets(name: string, value: unknown): unknown {
  if (value === null || value === undefined || value === '') return value
  if (isSecretName(name)) return HIDDEN
  if (typeof value === 'string') return hideInText(value)
  if (Array.isArray(value)) return value.map((item) => hideSecrets('', item))
  if (typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [hideInText(key), hideSecrets(key, inner)]))
}

/**
 * Where a line of a configuration file may hold a secret, as ranges of columns from 0, by its looks alone: for lines
 * that didn't parse. Rather too much than too little.
 */
export function secretRanges(line: string): [number, number][] {
  const ranges: [number, number][] = []
  const credentials = urlCredentials(line)
  if (credentials !== undefined) ranges.push(credentials)
  for (const pattern of [SECRET_MEMBER, KEY_MEMBER]) {
    const match = line.matchAll(pattern).next().value
    if (match !== undefined) ranges.push([match.index + match[0].length, line.length])
  }
  return ranges
}
