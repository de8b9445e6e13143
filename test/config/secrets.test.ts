import { parse as parseYaml } from 'yaml'
import { expect, test } from 'vitest'
import { printConfig } from '../../src/config/print.ts'
import { hideInText, isSecretName, secretRanges } from '../../src/config/secrets.ts'
import { substitute } from '../../src/config/substitute.ts'
import { failure, parse, visible } from './support.ts'

const SECRET = 'hunter2-Zq9'

test('variables are replaced, with defaults, once', () => {
  const env = { A: 'one', EMPTY: '', NESTED: '${A}' }
  const text = (template: string) => substitute(template, env)
  expect(text('x${A}y${A}')).toMatchObject({ text: 'xoneyone' })
  expect(text('${EMPTY}')).toMatchObject({ text: '' })
  expect(text('${EMPTY:-d}${NONE:-}${NONE:-a b:c}')).toMatchObject({ text: 'da b:c' })
  expect(text('${NESTED}')).toMatchObject({ text: '${A}' })
  expect(text('$${A} $A $5 {A}')).toMatchObject({ text: '${A} $A $5 {A}' })
  expect(text('${A')).toHaveProperty('reason')
  expect(text('${}')).toHaveProperty('reason')
})

test('a variable may give a number, or a part of any text, but never a key or a structure', () => {
  const config = parse(
    'workers: ${N}\nretry: { seconds: "${S:-7}" }\nstate: "/data/${N}"\nreplicas: { A: { type: postgres, url: "${U}" } }',
    { N: '12', U: '{ a: b }' },
  )
  expect(config).toMatchObject({ workers: 12, retry: { seconds: 7 }, state: '/data/12' })
  expect(config.replicas[0]!.options).toEqual({ url: '{ a: b }' })
  expect(parse('state: ${N}', { N: '12' }).state).toBe('/srv/app/12')
  expect(failure(() => parse('workers: ${N}', { N: 'many' })).message).toMatch(/^workers: expected/)
  expect(failure(() => parse('retry: { seconds: ${N} }', { N: '1' })).advice).toMatch(/needs quotes$/)
})

test('the printed configuration reads back as the same one', () => {
  const text =
    'replicas: { A: { type: postgres, url: "postgres://db/x", n: 1, odd: "a$${b}$$" } }\naliases: { Z: A }\nworkers: 3\nstate: /s'
  const config = parse(text)
  expect(config.replicas[0]!.options.odd).toBe('a${b}$$')
  expect(parse(printConfig(config))).toEqual(config)
})

test('no secret is printed, wherever it stands', () => {
  const config = parse(
    `
replicas:
  A:
    type: postgres
    url: "postgres://app:${SECRET}@db:5432/shop?sslmode=require"
    password: ${SECRET}
    dsn: "host=db user=app password=${SECRET} dbname=x"
    options: { apiKey: ${SECRET}, accessToken: ${SECRET}, list: ["https://u:${SECRET}@h/p", ok] }
    tls: { key: ${SECRET}, ca: public }
    pem: "-----BEGIN PRIVATE KEY-----\\n${SECRET}"
  B: { type: postgres, url: "mongodb://a:${SECRET}/@#?x@h1,h2/db?authSource=admin&tlsKeyPassword=${SECRET}" }
  C: { type: postgres, plain: "\${APP_TOKEN}", host: "\${HOST}" }
`,
    { APP_TOKEN: SECRET, HOST: 'db.example' },
  )
  const printed = printConfig(config)
  expect(printed).not.toContain(SECRET)
  const shown = parseYaml(printed) as { replicas: Record<string, Record<string, unknown>> }
  expect(shown.replicas.A).toMatchObject({
    url: 'postgres://***@db:5432/shop?sslmode=require',
    password: '***',
    dsn: 'host=db user=app password=*** dbname=x',
    options: { apiKey: '***', accessToken: '***', list: ['https://***@h/p', 'ok'] },
    tls: { key: '***', ca: 'public' },
    pem: '***',
  })
  expect(shown.replicas.B!.url).toBe('mongodb://***@h1,h2/db?authSource=admin&tlsKeyPassword=***')
  expect(shown.replicas.C).toEqual({ type: 'postgres', plain: '***', host: 'db.example' })
})

test.each([
  `replicas: { A: { type: postgre, password: ${SECRET} } }`,
  `replicas: { A: { password: "${SECRET}, }", type: postgre } }`,
  `replicas: { A: { url: "postgres://u:${SECRET}@h/d", type: postgre } }`,
  `replicas:\n  A: { type: x, apiKey: '${SECRET}' }`,
  `workerz: 3 # password: ${SECRET}`,
  `replicas:\n  A: { password: "${SECRET}\n    ${SECRET}", type: postgre }`,
  `replicas: { A: { password: "${SECRET}, type: postgres } }`,
  `replicas: { A: { password: ${SECRET}, type: [ } }`,
  `replicas:\n  A:\n    password: "\\q${SECRET}"`,
  `replicas:\n  A:\n    password: "${SECRET}\n  B: x`,
  `replicas:\n  A:\n    password: |\n      ${SECRET}\n\t    ${SECRET}\n    type: 3`,
  `replicas:\n  A:\n    password: @${SECRET}`,
  `replicas:\n  A:\n    url: "postgres://u:${SECRET}@h/d" x`,
  `replicas:\n  A:\n    tls: { key: ${SECRET} } }`,
  `replicas:\n  A: { type: 3, tls: { key: ${SECRET} } }`,
  `password: ${SECRET}`,
  `state: "\${APP_TOKEN}\\0"`,
  `workers: \${APP_TOKEN}`,
  `replicas: { A: { type: "\${APP_TOKEN}" } }`,
  `aliases: { A: "\${APP_TOKEN}" }`,
  `tables: { t: { key: { k: "\${APP_TOKEN}" }, values: { v: string } } }`,
  `state: \${NOT_SET}\${APP_TOKEN}`,
])('no error shows a secret: %#', (text) => {
  const error = failure(() => parse(text, { APP_TOKEN: SECRET }))
  expect(visible(error)).not.toContain(SECRET)
  expect(error.place.line).toBeGreaterThan(0)
})

test('the caret still points at the place behind a secret', () => {
  const line = 'replicas: { A: { password: "abc", type: postgre } }'
  const { place } = failure(() => parse(line))
  expect(place.column).toBe(line.indexOf('postgre') + 1)
  expect(place.text!.length).toBeGreaterThanOrEqual(place.column! - 1)
  expect(place.text).not.toContain('abc')
})

test('names of secrets are known, and ordinary ones are not', () => {
  for (const name of [
    'password',
    'PGPASSWORD',
    'db_pwd',
    'api-key',
    'apiKey',
    'API_KEY',
    'key',
    'auth.token',
    'sslkey',
  ]) {
    expect(isSecretName(name), name).toBe(true)
  }
  for (const name of ['url', 'host', 'monkey', 'keyspace', 'user', 'database', 'keyBytes', 'auth']) {
    expect(isSecretName(name), name).toBe(false)
  }
})

test('hiding takes time in proportion to the text', () => {
  for (const piece of ['a', 'pass', '://', '@', 'key:', 'password=', 'a://', ' ', '"', '-----BEGIN ']) {
    const text = piece.repeat(200_000)
    const started = performance.now()
    hideInText(text)
    secretRanges(text)
    expect(performance.now() - started, piece).toBeLessThan(10_000)
  }
})
