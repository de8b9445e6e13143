import { describe, expect, it } from 'vitest'
import { errorOf, HiveFault } from '../../src/connectors/hive/client/faults.ts'
import type { ErrorCode } from '../../src/core/errors.ts'

const FAILED = 'Error while processing statement: FAILED: '
const TASK = `${FAILED}Execution Error, return code 2 from org.apache.hadoop.hive.ql.exec.tez.TezTask`
const DDL = `${FAILED}Execution Error, return code 1 from org.apache.hadoop.hive.ql.ddl.DDLTask`

/** What Hive says, its SQLSTATE and number, and what that is to us. */
const SAID: readonly [string, string | undefined, number | undefined, ErrorCode][] = [
  // worth another try
  [
    `${FAILED}LockException(Transaction manager has aborted the transaction txnid:829.  Reason: x)`,
    '42000',
    12,
    'BACK_OFF',
  ],
  ['FAILED: Error in acquiring locks: Lock acquisition for (...) timed out after 5503ms', '42000', 10307, 'BACK_OFF'],
  ['Locks on the underlying objects cannot be acquired, retry after some time.', '42000', 10104, 'BACK_OFF'],
  ['No record of lock 12 could be found, may have timed out', '42000', 10270, 'BACK_OFF'],
  ['No record of transaction txnid:7 could be found, may have timed out', '42000', 10262, 'BACK_OFF'],
  ['Attempt to acquire compile lock timed out.', '42000', 10308, 'BACK_OFF'],
  [`${DDL}. MetaException(message:Could not connect to meta store using any of the URIs)`, '08S01', 1, 'BACK_OFF'],
  [`${DDL}. org.apache.thrift.transport.TTransportException: Connection reset`, '08S01', 40000, 'BACK_OFF'],
  [
    `${DDL}. MetaException(message:javax.jdo.JDOFatalDataStoreException: Communications link failure)`,
    '08S01',
    1,
    'BACK_OFF',
  ],
  [`${TASK}. Vertex failed. java.net.ConnectException: Connection refused`, '08S01', 2, 'BACK_OFF'],
  [`${TASK}. ORC split generation failed with exception: Bucket ID out of range: -1`, '08S01', 2, 'BACK_OFF'],
  [`${TASK}. DAG was killed due to DAG_KILLED, container preempted`, '08S01', 2, 'BACK_OFF'],
  [`${TASK}. java.lang.OutOfMemoryError: Java heap space`, '08S01', 2, 'BACK_OFF'],
  ['Attempt to unlock lock lockid:137associated with an open transaction, Unlocking locks', undefined, 0, 'BACK_OFF'],
  ["Failed to open new session: ExitCodeException exitCode=1: chmod: 'x': No such file", undefined, 0, 'BACK_OFF'],
  [
    `${FAILED}SemanticException Error while running command to get file permissions : ExitCodeException exitCode=2: ` +
      `ls: cannot access '/${'warehouse/'.repeat(400)}.hive-staging_hive_1/bucket_00000': No such file or directory`,
    '42000',
    40000,
    'BACK_OFF',
  ],
  ['java.util.concurrent.RejectedExecutionException: the pool is shut down', 'HY000', undefined, 'BACK_OFF'],
  ['Invalid SessionHandle: SessionHandle [7f]', undefined, 0, 'CONNECTION_LOST'],
  // an error of the statement, which would come again
  [`${TASK}. Vertex failed. Cardinality Violation detected in MERGE`, '08S01', 2, 'DATABASE_REFUSED'],
  [TASK, '08S01', 2, 'DATABASE_REFUSED'],
  [`${DDL}. Something that nobody has seen yet`, '08S01', 1, 'DATABASE_REFUSED'],
  ['something else', '40001', 2, 'DATABASE_REFUSED'],
  [`${TASK}. DataConstraintViolationError: NOT NULL constraint violated!`, '08S01', 2, 'DATABASE_REFUSED'],
  ['FAILED: ParseException line 1:0 cannot recognize input', '42000', 40000, 'DATABASE_REFUSED'],
  ['FAILED: HiveAccessControlException Permission denied: user [a]', '42000', 40000, 'DATABASE_REFUSED'],
  [`${TASK}. Permission denied: user=a, access=WRITE, inode="/warehouse"`, '08S01', 2, 'DATABASE_REFUSED'],
  ['FAILED: SemanticException [Error 10072]: Database does not exist: x', '42000', 10072, 'DATABASE_REFUSED'],
  ["FAILED: SemanticException Line 1:14 Table not found 't'", '42S02', 10001, 'SCHEMA_MISMATCH'],
  ["FAILED: SemanticException Invalid table alias or column reference 'c'", '42000', 10004, 'SCHEMA_MISMATCH'],
]

describe('what Hive says', () => {
  it.each(SAID)('%s (%s, %s) is %s', (text, sqlState, number, code) => {
    const error = errorOf(new HiveFault({ sqlState, code: number, text }), 'WAREHOUSE')
    expect(error).toMatchObject({ code, place: { replica: 'WAREHOUSE' } })
    // The server's text may hold values.
    expect(`${error.message} ${error.advice ?? ''} ${JSON.stringify(error)}`).not.toContain(text)
  })
})
