import type { Bug } from './bug.ts'
import { DATABASE_BUGS } from './databases.ts'
import { LOG_BUGS } from './logs.ts'
import { STATEMENT_BUGS } from './statements.ts'

/** All bugs that the simulation must find. */
export const BUGS: readonly Bug[] = [...DATABASE_BUGS, ...LOG_BUGS, ...STATEMENT_BUGS]
