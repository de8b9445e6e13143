import { join } from 'node:path'

/** What Hive, Tez and Kryo look into by reflection. */
const OPENED = {
  'java.base': [
    ...['java.lang', 'java.lang.reflect', 'java.io', 'java.net', 'java.nio', 'java.util', 'java.util.concurrent'],
    ...['java.util.concurrent.atomic', 'java.util.regex', 'java.text', 'java.time', 'java.math', 'sun.nio.ch'],
    ...['sun.nio.cs', 'sun.security.action', 'sun.util.calendar', 'jdk.internal.ref'],
  ],
  'java.sql': ['java.sql'],
  'java.security.jgss': ['sun.security.krb5'],
}

/** The options of `java` that open them. */
export function openings() {
  return Object.entries(OPENED).flatMap(([module, packages]) =>
    packages.flatMap((name) => ['--add-opens', `${module}/${name}=ALL-UNNAMED`]),
  )
}

/** A program of the JDK in JAVA_HOME, else of the one on PATH. */
export function javaProgram(name) {
  const home = process.env.JAVA_HOME ?? ''
  return home === '' ? name : join(home, 'bin', name)
}
