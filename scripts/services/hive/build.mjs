import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ServiceError, step } from '../command.mjs'
import { javaProgram, openings } from './java.mjs'

const RECIPE = fileURLToPath(new URL('.', import.meta.url))
const REPORT_MS = 10_000
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

/**
 * Fills a directory with what a server needs: `jars/`, `tez.jar`, which goes before them, `classes/` (Serve), `home/` (the
 * metastore's SQL scripts, where Hive looks for them) and `metastore_db/`, an initialised metastore to begin with.
 */
export async function build(directory, report) {
  const work = join(directory, 'work')
  mkdirSync(work)
  await fetchJars(directory, work, report)
  await unpackScripts(directory, work)
  await cutTezOut(directory, work)
  const classPath = `${RECIPE}:${join(directory, 'jars')}/*`
  const compile = ['--release', '17', '-cp', classPath, '-d', join(directory, 'classes'), join(RECIPE, 'Serve.java')]
  await step('javac', javaProgram('javac'), compile)
  report('initialising a metastore')
  await initialise(directory, work, classPath)
  rmSync(work, { recursive: true })
}

/** With the user's own settings of Maven: its mirrors, its repository. */
async function fetchJars(directory, work, report) {
  // Maven writes beside the pom.
  cpSync(join(RECIPE, 'pom.xml'), join(work, 'pom.xml'))
  const arguments_ = [
    ...['-B', '-f', join(work, 'pom.xml'), COPY, '-DincludeScope=runtime'],
    `-DoutputDirectory=${join(directory, 'jars')}`,
    '-Dmaven.wagon.http.retryHandler.count=3',
  ]
  report('fetching about 200 jars with Maven, 270 MB; 3 to 5 minutes where it has none of them')
  let files = 0
  let told = performance.now()
  const line = (text) => {
    if (!text.includes('Downloaded from')) return
    files++
    if (performance.now() - told < REPORT_MS) return
    told = performance.now()
    report(`${String(files)} files downloaded`)
  }
  await step('Maven', 'mvn', arguments_, { cwd: work, line })
}

/** The metastore's SQL scripts are in no jar, only in its source archive. */
async function unpackScripts(directory, work) {
  const jars = join(directory, 'jars')
  const archive = readdirSync(jars).find((name) => name.endsWith('-src.tar.gz'))
  if (archive === undefined) throw new ServiceError("Maven didn't bring the metastore's sources")
  await step('tar', 'tar', ['-xzf', join(jars, archive), '-C', work])
  const [root] = readdirSync(work).filter((name) => name !== 'pom.xml')
  const scripts = join(directory, 'home/scripts/metastore/upgrade')
  mkdirSync(scripts, { recursive: true })
  renameSync(join(work, root, 'metastore-server/src/main/sql/derby'), join(scripts, 'derby'))
  rmSync(join(jars, archive))
}

/**
 * Each session that runs a task copies the jar of Hive's Tez classes to where Tez would fetch it, twice: 80 MB, of which
 * Tez in our own process needs nothing. So those classes are in a small one.
 */
async function cutTezOut(directory, work) {
  const jars = join(directory, 'jars')
  const whole = readdirSync(jars).find((name) => name.startsWith('hive-exec-'))
  if (whole === undefined) throw new ServiceError("Maven didn't bring hive-exec")
  const jar = javaProgram('jar')
  const classes = 'org/apache/hadoop/hive/ql/exec/tez'
  await step('jar', jar, ['--extract', '--file', join(jars, whole), classes], { cwd: work })
  await step('jar', jar, ['--create', '--file', join(directory, 'tez.jar'), '-C', work, classes])
}

async function initialise(directory, work, classPath) {
  const home = join(directory, 'home')
  const args = [
    ...['-Xmx512m', ...openings()],
    ...[`-Dmerganser.hive.state=${directory}`, `-Dmerganser.hive.metastore=${join(directory, 'metastore_db')}`],
    ...[`-Dderby.stream.error.file=${join(work, 'derby.log')}`, `-Djava.io.tmpdir=${work}`, '-cp', classPath],
    'org.apache.hadoop.hive.metastore.tools.schematool.MetastoreSchemaTool',
    ...['-dbType', 'derby', '-initSchema'],
  ]
  await step("the metastore's set-up", javaProgram('java'), args, {
    cwd: work,
    env: { ...process.env, HIVE_HOME: home, METASTORE_HOME: home },
  })
}
