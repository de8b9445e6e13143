/*
 * What crosses to the thread that appends to files and back. Descriptors are the process's, so that files stay open
 * where they were opened.
 */

export interface AppendRequest {
  readonly id: number
  readonly descriptor: number
  /** Views of shared memory cross as they are, others as copies. */
  readonly buffers: readonly Uint8Array[]
  readonly crc: number
  readonly seal: Uint8Array
}

export type AppendAnswer =
  | { readonly id: number; readonly crc: number }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } }
