import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isProvisioned } from './cache.mjs'
import { ask, onPath } from './command.mjs'
import { build } from './hive/build.mjs'
import { javaProgram, openings } from './hive/java.mjs'

const RECIPE = fileURLToPath(new URL('hive/', import.meta.url))
/** Hadoop of this version can't do with later ones, Hive's connector code needs no earlier one. */
const OLDEST_JAVA = 17
const NEWEST_JAVA = 22
const HEAP = '2g'
/** Room for new objects, classes and compiled code from the start, rather than rounds of clearing up that give little. */
const ROOM = ['-Xms512m', '-Xmn320m', '-XX:MetaspaceSize=256m', '-XX:ReservedCodeCacheSize=240m']
/** Less work for compiler and verifier: a server that is used for minutes never gets back what the better code costs. */
const SHORT_LIVED = ['-XX:TieredStopAtLevel=1', '-XX:+UnlockDiagnosticVMOptions', '-XX:-BytecodeVerificationRemote']

const recipe = {
  name: 'hive',
  version: '4.0.1',
  files: ['pom.xml', 'Serve.java', 'build.mjs'].map((name) => join(RECIPE, name)),
  build,
}

/** A HiveServer2 with its metastore and Tez in one process, on the local file system. */
export const hive = {
  name: 'hive',
  title: 'HiveServer2 4.0.1',
  entries: [recipe.name],
  stopSignal: 'SIGTERM',

  async missing() {
    const version = await ask(javaProgram('java'), ['-version'])
    if (version === undefined) return `install a JDK ${String(OLDEST_JAVA)} (java, javac) and Maven (mvn)`
    const major = Number(/version "(\d+)/.exec(version)?.[1])
    if (!(major >= OLDEST_JAVA && major <= NEWEST_JAVA)) {
      return `install a JDK ${String(OLDEST_JAVA)}, or name one in JAVA_HOME: this is Java ${String(major)}`
    }
    if (isProvisioned(recipe)) return undefined
    if ((await ask(javaProgram('javac'), ['-version'])) === undefined) {
      return `install a whole JDK ${String(OLDEST_JAVA)}: javac is missing`
    }
    if (onPath('tar') === undefined) return 'install tar'
    return onPath('mvn') === undefined ? 'install Maven (mvn)' : undefined
  },

  recipe: () => recipe,

  /**
   * @param options `shortLived`: it is to start fast rather than to run fast; `durable`: its metastore outlives its
   * process, but no statement may be cancelled (`Serve.java` says why)
   */
  command({ provisioned, state, port, options = {} }) {
    for (const name of ['tmp', 'warehouse']) mkdirSync(join(state, name))
    const metastore = join(state, 'metastore_db')
    cpSync(join(provisioned, 'metastore_db'), metastore, { recursive: true })
    const jars = readdirSync(join(provisioned, 'jars')).map((name) => join(provisioned, 'jars', name))
    const properties = {
      'merganser.hive.state': state,
      'merganser.hive.metastore': options.durable ? metastore : 'memory:merganser',
      ...(options.durable ? {} : { 'merganser.hive.metastore.from': metastore }),
      'log4j2.formatMsgNoLookups': 'true',
      'derby.stream.error.file': join(state, 'derby.log'),
      // Hive's statements for transactions, each with its own numbers in it, drive the metastore's others out of a small one.
      'derby.language.statementCache.size': '1000',
      'java.io.tmpdir': join(state, 'tmp'),
      'user.timezone': 'UTC',
      'file.encoding': 'UTF-8',
    }
    const home = join(provisioned, 'home')
    // Nothing of another Hadoop or Hive of this machine.
    const others = /^(?:HADOOP|HIVE|TEZ|YARN|HDFS|MAPRED)_/
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !others.test(name)))
    return {
      program: javaProgram('java'),
      args: [
        ...[`-Xmx${HEAP}`, '-XX:+UseSerialGC', ...ROOM, ...(options.shortLived ? SHORT_LIVED : []), ...openings()],
        ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
        ...['-cp', [RECIPE, join(provisioned, 'classes'), join(provisioned, 'tez.jar'), ...jars].join(delimiter)],
        ...['Serve', '--hiveconf', `hive.server2.thrift.port=${String(port)}`],
      ],
      env: { ...env, HIVE_HOME: home, METASTORE_HOME: home },
      url: `hive://hive@127.0.0.1:${String(port)}/default?auth=nosasl`,
      ready: ({ log }) => log().includes('merganser: hive is ready'),
    }
  },
}
