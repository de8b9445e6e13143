import { expect, test, vi } from 'vitest'
import type * as Lanes from '../../src/lanes/lane.ts'
import { planOf, type Plan } from '../../src/simulation/plan.ts'
import { simulate } from '../../src/simulation/run.ts'
import { Seeds } from '../../src/simulation/seeds.ts'
import type { Step } from '../../src/simulation/steps.ts'
import { newKernel } from '../kernel/subjects.ts'

/** The replica whose lane isn't served: neither its writes, or its reads, reach its database. */
const planted = vi.hoisted(() => ({ starved: '', call: '' }))

vi.mock('../../src/lanes/lane.ts', async (original) => {
  const { Lane, ...others } = await original<typeof Lanes>()
  const starves = (replica: string, call: string) => replica === planted.starved && call === planted.call
  const never = () => new Promise<never>(() => undefined)
  class UnfairLane extends Lane {
    override readRows(...args: Parameters<InstanceType<typeof Lane>['readRows']>) {
      return starves(this.replica, 'read') ? never() : super.readRows(...args)
    }
    override writeRows(...args: Parameters<InstanceType<typeof Lane>['writeRows']>) {
      return starves(this.replica, 'write') ? never() : super.writeRows(...args)
    }
  }
  return { ...others, Lane: UnfairLane }
})

/** Merges all the time, and nothing that waits for all lanes. */
function busyPlan(): Plan {
  const plan = planOf(new Seeds(1), { replicas: 3, operations: 100, faults: new Set() })
  const names = plan.replicas
  const steps: Step[] = Array.from({ length: 60 }, (_, n) =>
    names.flatMap((name, at) => round(name, names[(at + 1) % 3]!, n)),
  )
    .flat()
    .map((line) => ({ line }))
  const pauses = steps.flatMap((step, i): Step[] =>
    i % 9 === 8 ? [step, { fault: { kind: 'pause', for: 5_000_000 } }] : [step],
  )
  return { ...plan, steps: pauses, initialRows: 0 }
}

const round = (name: string, other: string, n: number): string[] => {
  return [
    `${name}.t.SET((k${String(n)}), {a: ${name}${String(n)}})`,
    `${name}.t.GET((k${String(n % 7)}))`,
    `${name}.MERGE(${other})`,
  ]
}

const outcome = () => simulate(1, busyPlan(), (limits) => newKernel(limits))

test('I12: where every lane is served none is told to starve', async () => {
  planted.starved = ''
  expect((await outcome()).failure).toBeUndefined()
})

test('I12: a lane whose writes are left behind, while others work, is found', async () => {
  Object.assign(planted, { call: 'write', starved: 'POSTGRESQL' })
  const { failure } = await outcome()
  expect(failure?.invariant).toBe('I12')
  expect(failure?.message).toMatch(/^a change of replica 1 waits for 15\d s, while others are served$/)
})

test('I12: a lane whose reads are left behind holds up all that follows, which is found', async () => {
  Object.assign(planted, { call: 'read', starved: 'MONGODB' })
  expect((await outcome()).failure?.invariant).toBe('stuck')
})
