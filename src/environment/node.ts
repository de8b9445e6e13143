import { Appender } from './appender.ts'
import type { Environment } from './environment.ts'
import { NodeClock } from './node-clock.ts'
import { NodeDisk } from './node-disk.ts'
import { NodeProcesses } from './node-processes.ts'
import { NodeRandom } from './node-random.ts'
import { nodeThreads } from './node-threads.ts'
import { NodeTimers } from './node-timers.ts'

/** The real world. `entry` is the compiled file that a thread starts with, beside the folder of this one. */
export function nodeEnvironment(entry: URL): Environment {
  return {
    clock: new NodeClock(),
    timers: new NodeTimers(),
    random: new NodeRandom(),
    disk: new NodeDisk(new Appender(new URL('./environment/append-thread.js', entry))),
    threads: nodeThreads(entry),
    processes: new NodeProcesses(),
  }
}
