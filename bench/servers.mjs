import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { MongoClient } from 'mongodb'
import { connect } from '../dist/connectors/hive/client/connect.js'
import { parseHiveUrl } from '../dist/connectors/hive/url.js'
import { missingVariable, urlVariable } from '../scripts/services/urls.mjs'
import { absent } from './pairs.mjs'

/** The URL of a server (`postgres`, `mongodb`, `hive`); undefined where there is none. `run.mjs` sees to the variables. */
export function serverUrl(kind) {
  const url = process.env[urlVariable(kind)]
  return url === '' ? undefined : url
}

/** Why there is no server of some of these kinds; undefined where all are there. */
export function missingServers(kinds) {
  const missing = kinds.filter((kind) => serverUrl(kind) === undefined)
  if (missing.length === 0) return undefined
  return missing.map((kind) => `${kind}: ${process.env[missingVariable(kind)] ?? 'no server was started'}`).join('; ')
}

/**
 * Results that need servers: those that `work` gives, or, where a server is missing, a line for each of `lines`
 * (`[work, reference]`) that says so. `work` gets the URL of a new database on each of the servers, in the order of
 * `kinds`; they are dropped afterwards.
 */
export async function onServers(kinds, lines, work) {
  const missing = missingServers(kinds)
  if (missing !== undefined) return lines.map(([name, reference]) => absent(name, reference, missing))
  const databases = []
  try {
    for (const kind of kinds) databases.push(await freshDatabase(kind))
    return await work(...databases.map(({ url }) => url))
  } finally {
    for (const { drop } of databases) await drop()
  }
}

/** A new database on a server: `{ url, drop }`. */
export async function freshDatabase(kind) {
  return await MAKERS[kind](serverUrl(kind), `merganser_bench_${randomBytes(6).toString('hex')}`)
}

const MAKERS = { postgres: freshPostgres, mongodb: freshMongo, hive: freshHive }

async function freshPostgres(server, name) {
  const run = (statement) => withPostgres(server, (client) => client.query(statement))
  await run(`CREATE DATABASE ${name}`)
  return { url: withPath(server, name), drop: () => run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}

async function freshMongo(server, name) {
  const url = withPath(server, name)
  return { url, drop: () => withMongo(url, (client) => client.db(name).dropDatabase()) }
}

async function freshHive(server, name) {
  const run = (statement) => withHive(server, (connection) => connection.execute(statement))
  await run(`CREATE DATABASE ${name}`)
  return { url: withPath(server, name), drop: () => run(`DROP DATABASE IF EXISTS ${name} CASCADE`) }
}

/** A server's URL with another database in its path; of MongoDB's too, which may have several hosts. */
function withPath(url, database) {
  const [, hosts, query = ''] = /^([a-z+]+:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url)
  return `${hosts}/${database}${query}`
}

/** Calls `work` with a connection of package `pg`. */
export async function withPostgres(url, work) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Calls `work` with a client of package `mongodb`. */
export async function withMongo(url, work) {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 10_000 })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

/** Calls `work` with a connection of our own client: there is no other driver for Node. */
export async function withHive(url, work) {
  const connection = await connect(parseHiveUrl(url))
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}
