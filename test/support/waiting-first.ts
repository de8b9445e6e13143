import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Tests that mostly wait for a server. */
const WAITING = /test\/(?:connectors\/(?:hive|mongodb)[^/]*|end-to-end\/[^/]*)\.test\.ts$/

/** The order of test files: those that mostly wait first, so that others work meanwhile; then vitest's own. */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const waits = (file: TestSpecification) => WAITING.test(file.moduleId)
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))]
  }
}
