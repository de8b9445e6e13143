export { connectorConformance } from './conformance.ts'
export type { Conformance } from './world.ts'
export type { TestRunner } from './runner.ts'
