import { readFileSync } from 'node:fs'
import { KernelState } from '../../src/kernel/kernel-state.ts'
import type { KernelOptions } from '../../src/kernel/kernel.ts'
import { WebAssembly, type WasmModule } from '../../src/kernel/webassembly.ts'
import type { MakeSubject } from './differential.ts'

export interface Build {
  readonly build?: 'release' | 'debug'
  readonly shared?: boolean
}

const FILES = {
  release: ['kernel-unshared.wasm', 'kernel.wasm'],
  debug: ['kernel-debug-unshared.wasm', 'kernel-debug.wasm'],
} as const

const modules = new Map<string, WasmModule>()

/** A build as it was compiled into `dist`. */
export function moduleOf({ build = 'release', shared = true }: Build): WasmModule {
  const name = FILES[build][Number(shared) as 0 | 1]
  let module = modules.get(name)
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(new URL(`../../dist/kernel/${name}`, import.meta.url)))
    modules.set(name, module)
  }
  return module
}

export function newKernel({ build = 'release', shared = true, ...options }: Build & KernelOptions = {}): KernelState {
  return new KernelState(moduleOf({ build, shared }), { ...options, shared })
}

const kernel =
  (options: Build & KernelOptions): MakeSubject =>
  (limits) =>
    newKernel({ ...options, ...limits })

/** What is held against the model, by names for the command line. */
export const SUBJECTS = {
  release: kernel({}),
  debug: kernel({ build: 'debug' }),
  'debug-unshared': kernel({ build: 'debug', shared: false }),
  'release-unshared': kernel({ shared: false }),
  /** Sixteen hashes for all keys. */
  collisions: kernel({ hashMask: 0b1111 }),
} as const satisfies Record<string, MakeSubject>

export type Subject = keyof typeof SUBJECTS
