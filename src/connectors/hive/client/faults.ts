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

/** Locks that weren't got in time, or were lost: of tables, and of the compiler. */
const LOCK_CODES: ReadonlySet<number> = new Set([10_104, 10_270, 10_307, 10_308, 10_330])
/** Transactions that aren't there any more, or were aborted. */
const TRANSACTION_CODES: ReadonlySet<number> = new Set([10_262, 10_263])

/** What failed only because something was away, or gave way to something else: the same statement may succeed later. */
const PASSING = new RegExp(
  [
    // the metastore, and its database
    'TTransportException|Could not connect to meta ?store|MetaStore.{0,80}(?:unavailable|shut|not reachable)',
    'Communications link failure|JDOFatalDataStoreException|JDOFatalInternalException|SQLTransientConnectionException',
    "JDODataStoreException.{0,200}(?:timed? ?out|deadlock|connection)|Can't get JDBC connection|Connection is not available",
    // the file system, and the network between its parts
    'ConnectException|Connection refused|SocketTimeoutException|NoRouteToHostException|Connection reset|Broken pipe',
    'StandbyException|SafeModeException|RetriableException|LeaseExpiredException|BlockMissingException',
    // who runs the tasks
    'DAG_KILLED|DAG (?:was )?killed|Application.{0,80}(?:failed|killed)|container.{0,80}(?:preempted|released|lost)',
    'TezSession has already shutdown|SessionNotRunning|SESSION_SHUTDOWN|No running DAG|OutOfMemoryError|GC overhead',
    // the server itself, ending or full
    'RejectedExecutionException|server is (?:shutting|shut) down|InterruptedException|ClosedByInterruptException',
    // its transactions and directories, when statements or sessions that begin or end at once get into each other's way
    'Attempt to unlock lock|Unlocking locks associated with transaction|ExitCodeException.{0,5000}No such file',
    'No active HiveServer2|Connection limit|exceeds? the limit of .{0,40}(?:sessions|connections)|queue is full',
    // a compaction took files away while they were being read
    'Bucket ID out of range|FileNotFoundException.{0,300}/(?:delta|delete_delta|base)_|snapshot.{0,40}(?:outdated|invalid)',
  ].join('|'),
  'is',
)

/** The first that fits. SQLSTATE 08S01 is all kinds of failures to Hive, so it decides nothing by itself. */
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
      fault.code === 20_009 ||
      /HiveAccessControlException|AccessControlException|Permission denied|No privilege|not authorized|AuthorizationException/i.test(
        fault.text,
      ),
    code: 'DATABASE_REFUSED',
    message: 'Hive refuses for want of a privilege',
    advice: 'grant the user of the connection what the documentation of the connector lists',
  },
  {
    test: (fault) => fault.code === 10072 || /Database does not exist|database .{0,200} not found/i.test(fault.text),
    code: 'DATABASE_REFUSED',
    message: "the database isn't there in Hive",
    advice: 'create it, or name another in the URL',
  },
  {
    test: (fault) =>
      TRANSACTION_CODES.has(fault.code ?? 0) ||
      /Transaction manager has aborted|TxnAbortedException|NoSuchTxnException|write conflict|deadlock/i.test(
        fault.text,
      ),
    code: 'BACK_OFF',
    message: 'Hive asks to try again: another transaction came first',
  },
  {
    test: (fault) =>
      LOCK_CODES.has(fault.code ?? 0) ||
      /lock.{0,200}(?:timed? ?out|could not be acquired)|Unable to acquire|acquiring locks|LockException/is.test(
        fault.text,
      ),
    code: 'BACK_OFF',
    message: 'Hive could not get the locks in time',
    advice: 'somebody else writes the table, or has not ended in order: its locks end with hive.txn.timeout',
  },
  {
    test: says(/Cardinality Violation/i),
    code: 'DATABASE_REFUSED',
    message: 'a key is in a table of Hive more than once',
    advice: 'somebody else writes that table: take the surplus rows of the key away',
  },
  {
    test: says(/Malformed ORC file.{0,1000}\/-tmp\./s),
    code: 'BACK_OFF',
    message: 'a statement that writes straight into the directory of a table is in the way of its readers',
    advice:
      'if it stays so, a server was killed in the middle of such a statement: take the directories that begin with ' +
      "-tmp. away from the table's directory, and set hive.acid.direct.insert.enabled=false where others write it",
  },
  {
    test: says(PASSING),
    code: 'BACK_OFF',
    message: 'something that Hive needs was away',
    advice: "the server's own log says what, if it stays so",
  },
  {
    test: (fault) => /^(?:08|40)/.test(fault.sqlState ?? ''),
    code: 'DATABASE_REFUSED',
    message: 'a statement failed while Hive ran it',
    advice: "the server's own log says why",
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
