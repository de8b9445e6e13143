import { createHash } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { ROOT } from '../run.mjs'
import { ServiceError } from './command.mjs'
import { ferretdb } from './ferretdb.mjs'
import { hive } from './hive.mjs'
import { mongodb } from './mongodb.mjs'
import { postgres } from './postgres.mjs'

export const SERVICES = [hive, mongodb, postgres, ferretdb]
/** What `up` starts when nothing is named. */
const DEFAULT = ['hive', 'mongodb', 'postgres']

/** The services of these names, or else those that are started without a name. Throws at an unknown one. */
export function servicesNamed(names) {
  return (names.length === 0 ? DEFAULT : names).map((name) => {
    const service = SERVICES.find((one) => one.name === name)
    if (service !== undefined) return service
    throw new ServiceError(`there is no service ${name}; there are ${SERVICES.map((one) => one.name).join(', ')}`)
  })
}

/**
 * The directories of the running servers of all checkouts of this user. Not in the cache: Hive takes every file for hidden
 * that has a directory above it whose name begins with a dot, and reads none of them.
 */
export const runningDirectory = () => join(tmpdir(), `merganser-services-of-${userInfo().username}`)

/** The directory of the servers that `npm run services -- up` starts for this checkout; removing packages spares it. */
export function checkoutDirectory() {
  const key = createHash('sha256').update(ROOT).digest('hex').slice(0, 12)
  return join(runningDirectory(), `${basename(ROOT)}-${key}`)
}
