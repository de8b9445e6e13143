import { idOf } from './database.ts'
import type { History } from './history.ts'
import type { Fault } from './steps.ts'
import type { World } from './world.ts'

/** Carries out what happens to the world itself; faults of the process and its session are the driver's. */
export function strikeWorld(world: World, history: History, fault: Fault): void {
  const { schedule, plan } = world
  const link = 'replica' in fault ? world.servers.get(plan.replicas[fault.replica]!)!.link : undefined
  switch (fault.kind) {
    case 'partition':
      if (fault.cut !== 'answers') link!.requestsCut = schedule.now + fault.for
      if (fault.cut !== 'requests') link!.answersCut = schedule.now + fault.for
      break
    case 'outage':
      link!.down = schedule.now + fault.for
      break
    case 'slow': {
      const { faults } = link!
      link!.faults = { ...faults, latency: faults.latency * fault.times }
      link!.troubled(fault.for)
      schedule.at(fault.for, world.life, () => {
        if (!world.healed) link!.faults = { ...link!.faults, latency: faults.latency }
      })
      break
    }
    case 'clock':
      world.stepClock(fault.by)
      break
    case 'disk':
      world.struck = { call: fault.call, after: fault.after }
      return
    case 'full':
      world.fullUntil = schedule.now + fault.for
      break
    case 'foreign':
      if (!changeByHand(world, history, fault.replica, fault.number)) return
      break
    default:
      return
  }
  world.inject(fault.kind)
}

/** Another value under the same stamp; false where the database holds none yet. */
function changeByHand(world: World, history: History, replica: number, number: number): boolean {
  const { database } = world.servers.get(world.plan.replicas[replica]!)!
  const found = world.plan.tables.flatMap((schema, table) =>
    database
      .rows(schema.name)
      .flatMap((row) =>
        row.cells.flatMap((cell, column) => (cell === null ? [] : [{ schema, table, row, cell, column }])),
      ),
  )
  const chosen = found[number % Math.max(1, found.length)]
  if (chosen === undefined) return false
  const { schema, table, row, cell, column } = chosen
  const value = `byhand${String(history.foreign.length)}`
  const cells = row.cells.map((old, c) => (c === column ? { value, stamp: cell.stamp } : old))
  database.put(schema, { ...row, cells })
  history.changedByHand({ replica, table, key: idOf(row.key), column, stamp: cell.stamp, value })
  world.tell(`${database.name}: ${schema.name} (${row.key.join()}) is changed by hand to ${value}`)
  return true
}
