/* As much of the WebAssembly API as the kernel needs: its types belong to browsers' libraries, which aren't used here. */

/** A compiled program. */
export type WasmModule = object

export interface WasmMemory {
  /** Another object after growth. Its memory may be shared by threads: nothing may rely on which of the two it is. */
  readonly buffer: ArrayBuffer
}

interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Memory: new (descriptor: { initial: number; maximum?: number; shared?: boolean }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> }
  readonly RuntimeError: new (message?: string) => Error
}

export const WebAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly
