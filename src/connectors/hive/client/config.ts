/** How a HiveServer2 is reached. */
export interface HiveConfig {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password?: string
  /** As the server's `hive.server2.authentication` says: 'none' and 'ldap' are SASL PLAIN, 'nosasl' is the bare socket. */
  readonly auth: 'none' | 'ldap' | 'nosasl'
  readonly transport: 'binary' | 'http'
  /** Of transport 'http': `cliservice` where it isn't said. */
  readonly httpPath?: string
  readonly tls: false | HiveTls
  /** For reaching the server and opening a session. */
  readonly connectMilliseconds: number
  /** For a statement, and for each of its blocks of rows; it is cancelled then. */
  readonly statementMilliseconds: number
  /** For a call that waits for no statement: a server that is silent for longer is taken for gone. */
  readonly answerMilliseconds: number
  /** For cancelling a statement, and for closing a session; the connection is cut then. */
  readonly cancelMilliseconds: number
  /** Settings of the session, by their names in Hive. */
  readonly settings: Readonly<Record<string, string>>
}

export interface HiveTls {
  /** Certificates (PEM) that are trusted instead of the system's. */
  readonly caFile?: string
  /** The name that the server's certificate must have, where it isn't the host's. */
  readonly serverName?: string
  /** Any certificate is taken: whoever sits between reads and changes everything. */
  readonly insecure?: boolean
}
