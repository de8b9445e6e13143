/** A replica's number, in configured order from 0. */
export type ReplicaId = number
/** A table's number, in configured order from 0; the first is the default table. */
export type TableId = number
