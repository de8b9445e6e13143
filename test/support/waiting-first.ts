import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take minutes: one of them that begins late leaves the other processors with nothing to do at the end. */
const LONG = [
  'connectors/hive.test.ts',
  'proof/worlds.test.ts',
  'proof/hostile-hive.test.ts',
  'kernel/differential-release.test.ts',
  'proof/kill.test.ts',
  'faults/hive.test.ts',
  'proof/system-calls.test.ts',
  'connectors/hive-outages.test.ts',
  'proof/network-hive.test.ts',
  'proof/commands.test.ts',
  'proof/fuzz-log.test.ts',
  'proof/power-loss.test.ts',
  'proof/planted-bugs.test.ts',
  'repository/proof.test.ts',
]
/** Tests that mostly wait for a server. */
const WAITING =
  /test\/(?:connectors\/(?:hive|mongodb)[^/]*|(?:end-to-end|faults)\/[^/]*|proof\/(?:network|hostile|load)-[^/]*)\.test\.ts$/

/** The order of test files: the longest, then those that mostly wait, so that others work meanwhile; then vitest's own. */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification): number => {
      const long = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}`))
      if (long !== -1) return long
      return WAITING.test(moduleId) ? LONG.length : LONG.length + 1
    }
    // It is stable: of one rank, vitest's order stays.
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}
