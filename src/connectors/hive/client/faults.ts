import { MerganserError, type ErrorCode } from '../../../core/errors.ts'

/** What HiveServer2 said when it refused a call. */
export class HiveFault extends Error {
  readonly sqlState: string | undefined
  readonly code: number | undefined
  /** The server's own text, for decisions only: it may hold the statement, and so values. */
  readonly text: string

  constructor(fault: { sqlState: string | undefined; code: number | undefined; text: string }) {
    super('HiveServer2 refused a call')
    this.name = 'HiveFault'
    this.sqlState = fault.sqlState
    this.code = fault.code
    this.text = fault.text
    // Nobody prints it by accident.
    Object.defineProperty(this, 'text', { enumerable: false })
  }
}

interface Kind {
  readonly test: (fault: HiveFault) => boolean
  readonly code: ErrorCode
  readonly message: string
  readonly advice?: string
}

const says = (pattern: RegExp) => (fault: HiveFault) => pattern.test(fault.text)

/** The first that fits. SQLSTATE 08S01 is all kinds of failures to Hive, so texts come before it. */
const KINDS: readonly Kind[] = [
  {
    test: says(/Invalid SessionHandle|Invalid OperationHandle|session (?:is|was) closed/i),
    code: 'CONNECTION_LOST',
    message: 'the session of Hive has ended',
  },
  {
    test: (fault) => fault.sqlState === '42S02' || fault.code === 10001 || /Table not found/i.test(fault.text),
    code: 'SCHEMA_MISMATCH',
    message: "a table of Hive isn't there",
  },
  {
    test: says(/Invalid column reference|Invalid table alias or column reference/i),
    code: 'SCHEMA_MISMATCH',
    message: 'a table of Hive has another shape',
  },
  {
    test: (fault) =>
      fault.sqlState === '42501' ||
      /HiveAccessControlException|Permission denied|No privilege|not authorized|AuthorizationException/i.test(
        fault.text,
      ),
    code: 'DATABASE_REFUSED',
    message: 'Hive refuses for want of a privilege',
    advice: 'grant the user of the connection what the documentation of the connector lists',
  },
  {
    test: says(/Database does not exist|database .{0,200} not found/i),
    code: 'DATABASE_REFUSED',
    message: "the database isn't there in Hive",
    advice: 'create it, or name another in the URL',
  },
  {
    test: says(/Transaction manager has aborted|write conflict|deadlock/i),
    code: 'BACK_OFF',
    message: 'Hive asks to try again: another transaction came first',
  },
  {
    test: says(/lock.{0,200}(?:time|could not be acquired)|Unable to acquire|acquiring locks|TimeoutException/i),
    code: 'BACK_OFF',
    message: 'Hive could not get the locks in time',
    advice: 'somebody else writes the table, or has not ended in order: its locks end with hive.txn.timeout',
  },
  {
    test: (fault) => /^(?:08|40)/.test(fault.sqlState ?? ''),
    code: 'BACK_OFF',
    message: 'a statement failed while Hive ran it',
    advice: "the server's own log says why, if it stays so",
  },
]

/** What a refusal means to the engine; the fault is its cause. */
export function errorOf(fault: HiveFault, replica?: string): MerganserError {
  const found = KINDS.find((kind) => kind.test(fault))
  const state = fault.sqlState === undefined ? '' : `SQLSTATE ${fault.sqlState}`
  const code = fault.code === undefined || fault.code === 0 ? '' : `code ${String(fault.code)}`
  const told = [state, code].filter((part) => part !== '').join(', ')
  const message = `${found?.message ?? 'Hive refused a statement'}${told === '' ? '' : ` (${told})`}`
  return new MerganserError(found?.code ?? 'DATABASE_REFUSED', message, {
    cause: fault,
    ...(replica === undefined ? {} : { place: { replica } }),
    ...(found?.advice === undefined ? {} : { advice: found.advice }),
  })
}

/** The server's refusal behind an error of this client, where there is one. */
export function hiveFault(error: unknown): HiveFault | undefined {
  if (error instanceof HiveFault) return error
  const cause = error instanceof MerganserError ? error.cause : undefined
  return cause instanceof HiveFault ? cause : undefined
}
